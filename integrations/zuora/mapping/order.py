"""From a contract to the orders that make Zuora hold it.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Order/
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from integrations.zuora.mapping.contract import Cancellation, Contract, ContractCharge, ContractRatePlan
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.refusal import Refused

ACTION_LIMIT = 50
#: Where a tenant asks for service activation or customer acceptance, an order without these dates stays pending.
_TRIGGERS = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")


def create_order(wanted: Contract, *, order_number: str, order_date: date) -> Body:
    """Return the order that creates the subscription, and cancels it too when that is its fate already."""
    start = date.fromisoformat(wanted["start"])
    creation: Body = {
        "subscriptionNumber": wanted["subscriptionNumber"],
        "terms": _initial_terms(wanted),
    }
    if wanted["ratePlans"]:
        creation["subscribeToRatePlans"] = [_subscribe(plan) for plan in wanted["ratePlans"]]
    if wanted["owner"] != wanted["account"]:
        creation["subscriptionOwnerAccountNumber"] = wanted["owner"]
    actions = [_action("CreateSubscription", creation, on=start)]
    if wanted["cancellation"]:
        actions.append(_cancel(wanted["cancellation"], start=start, on=max(order_date, start)))
    subscription: Body = {"orderActions": actions}
    if wanted["customFields"]:
        subscription["customFields"] = dict(wanted["customFields"])
    return _order(wanted, subscription, number=order_number, on=order_date)


def change_order(sent: Contract, wanted: Contract, *, order_number: str, order_date: date) -> Body | None:
    """Return one atomic order with only what differs, or nothing when nothing does.

    It takes effect on the day on which the difference did, which is today where nobody said so. A one-time charge was
    billed when its rate plan was added, and has no update in Zuora: its changes are not sent.

    Raises:
        Refused: the difference is one that no order can make.
    """
    if sent["cancellation"]:
        return None  # a cancelled subscription takes no order
    _refuse_the_impossible(sent, wanted)
    start, on = date.fromisoformat(wanted["start"]), day_of_change(sent, wanted, today=order_date)
    ending = wanted["cancellation"]
    if ending and _ends_by(ending, on):
        # Nothing is sold differently any more; but whose it was, and who pays, is asked for its last usage, too.
        last = date.fromisoformat(ending["date"]) if ending["date"] else on
        actions = list(_transfer(sent, wanted, max(last, start)))
    else:
        actions = list(_changes(sent, wanted, on))
    if ending:
        actions.append(_cancel(ending, start=start, on=max(order_date, start)))
    if len(actions) > ACTION_LIMIT:
        raise Refused(
            f"The change of subscription {wanted['subscriptionNumber']} takes {len(actions)} steps, and an order of "
            f"Zuora's holds {ACTION_LIMIT}: change fewer add-ons at a time."
        )
    if not actions:
        return None
    subscription = {"subscriptionNumber": wanted["subscriptionNumber"], "orderActions": actions}
    return _order(wanted, subscription, number=order_number, on=order_date, account=sent["account"])


def must_take_back(sent: Contract, wanted: Contract, *, today: date) -> bool:
    """Tell whether what is wanted needs that the cancellation which was sent is taken back first."""
    was, now = sent["cancellation"], wanted["cancellation"]
    if was is None:
        return False
    if now is None:
        return True
    moved = was["date"] and now["date"] and was["date"] != now["date"]
    hurried = was["policy"] != "SpecificDate" and now == {"policy": "SpecificDate", "date": ""}
    on = day_of_change(sent, wanted, today=today)
    return bool(moved or hurried) or (not _ends_by(was, on) and any(_changes(sent, wanted, on)))


def before_the_end(sent: Contract | None, wanted: Contract, *, today: date) -> Contract | None:
    """Return what has to be ordered before a cancellation that is still to come; None where that is all there is.

    Such a cancellation has an order of its own: what is taken back by deleting the order takes back nothing else.
    """
    ending, start = wanted["cancellation"], date.fromisoformat(wanted["start"])
    if ending is None or _ends_by(ending, max(today, start)):
        return None
    if sent is not None and not any(_changes(sent, wanted, start)):
        return None
    return {**wanted, "cancellation": None}


def day_of_change(sent: Contract, wanted: Contract, *, today: date) -> date:
    """Return the day on which what differs took effect: a change that is late is sent as of its own day."""
    told = wanted.get("effectiveFrom", "")
    is_told = told and told != sent.get("effectiveFrom")
    day = min(today, datetime.fromisoformat(told).date()) if is_told else today
    return max(day, date.fromisoformat(wanted["start"]))


def custom_fields_update(sent: Contract, wanted: Contract) -> Body | None:
    """Return the body that updates the subscription's custom fields without a new version, or nothing.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/PUT_UpdateSubscriptionCustomFields/
    """
    before, now = sent["customFields"], wanted["customFields"]
    changed = {name: now.get(name, "") for name in sorted({*before, *now}) if before.get(name, "") != now.get(name, "")}
    return {"customFields": changed} if changed else None


def _refuse_the_impossible(sent: Contract, wanted: Contract) -> None:
    questions = (
        ("currency", "is billed in another currency", "set the payer's currency back"),
        ("start", "starts on another day", "set the start date back"),
    )
    for name, what, cure in questions:
        before, now = str(sent[name]), str(wanted[name])  # type: ignore[literal-required]
        if before != now:
            raise Refused(
                f"Subscription {wanted['subscriptionNumber']} {what} now ({before} before, {now} now), which no order "
                f"can change: {cure}, or cancel it and begin a new one."
            )


def _transfer(sent: Contract, wanted: Contract, on: date) -> Iterator[Body]:
    if (sent["account"], sent["owner"]) != (wanted["account"], wanted["owner"]):
        # Both are named, also the one that stays: Zuora does not say what becomes of the other one.
        owner = {
            "destinationAccountNumber": wanted["owner"],
            "destinationInvoiceAccountNumber": wanted["account"],
        }
        yield _action("OwnerTransfer", owner, on=on)


def _changes(sent: Contract, wanted: Contract, on: date) -> Iterator[Body]:
    yield from _transfer(sent, wanted, on)
    before = {plan["number"]: plan for plan in sent["ratePlans"]}
    now = {plan["number"]: plan for plan in wanted["ratePlans"]}
    for number in before:
        if number not in now:
            yield _action("RemoveProduct", {"productRatePlanNumber": number}, on=on)
    for number, plan in now.items():
        if number not in before:
            yield _action("AddProduct", _subscribe(plan), on=on)
    for number, plan in now.items():
        if number in before and (updates := list(_charge_updates(before[number], plan))):
            yield _action("UpdateProduct", {"productRatePlanNumber": number, "chargeUpdates": updates}, on=on)
    if terms := _changed_terms(sent, wanted, on):
        yield _action("TermsAndConditions", terms, on=on)


def _charge_updates(before: ContractRatePlan, now: ContractRatePlan) -> Iterator[Body]:
    old = {charge["key"]: charge for charge in before["charges"]}
    for charge in now["charges"]:
        member = charge.get("pricing", "")
        changed = _values(
            charge,
            [name for name in ("quantity", "price", "tiers") if charge.get(name) != old[charge["key"]].get(name)],
        )
        if member and changed and not member.startswith("oneTime"):
            yield {"productRatePlanChargeNumber": charge["number"], "pricing": {member: changed}}


def _subscribe(plan: ContractRatePlan) -> Body:
    overrides = [override for charge in plan["charges"] if (override := _override(charge))]
    return {"productRatePlanId": plan["id"], **({"chargeOverrides": overrides} if overrides else {})}


def _override(charge: ContractCharge) -> Body | None:
    """Return what differs from the catalog: how many units, and a price that is not the list price."""
    pricing = charge.get("pricing")
    values = _values(charge, ["quantity"] if charge.get("listed") else ["quantity", "price", "tiers"])
    if not pricing or not values:
        return None
    return {"productRatePlanChargeId": charge["id"], "pricing": {pricing: values}}


def _values(charge: ContractCharge, names: Iterable[str]) -> Body:
    values: Body = {}
    for name in names:
        if name == "tiers" and "tiers" in charge:
            values["tiers"] = [
                {
                    "tier": index,
                    "startingUnit": Decimal(tier["start"]),
                    **({"endingUnit": Decimal(tier["end"])} if "end" in tier else {}),
                    "price": Decimal(tier["price"]),
                    "priceFormat": tier["format"],
                }
                for index, tier in enumerate(charge["tiers"], start=1)
            ]
        elif name == "price" and "price" in charge:
            values["listPrice"] = Decimal(charge["price"])
        elif name == "quantity" and "quantity" in charge:
            values["quantity"] = Decimal(charge["quantity"])
    return values


def _initial_terms(wanted: Contract) -> Body:
    terms = wanted["terms"]
    first: Body = {"termType": terms["termType"], "startDate": wanted["start"]}
    if terms["termType"] == "EVERGREEN":
        return {"initialTerm": first}
    return {"initialTerm": first | dict(terms["initialTerm"]), **_renewal(wanted)}


def _changed_terms(sent: Contract, wanted: Contract, on: date) -> Body:
    """Return the members of a TermsAndConditions action; what becomes termed has its term from that day."""
    before, now = sent["terms"], wanted["terms"]
    if before == now:
        return {}
    if now["termType"] == "EVERGREEN":
        return {"lastTerm": {"termType": "EVERGREEN"}}
    last: Body = {}
    if before.get("initialTerm") != now["initialTerm"]:
        last = {"lastTerm": {"termType": "TERMED", **now["initialTerm"]}}
        if before["termType"] == "EVERGREEN":
            last["lastTerm"]["startDate"] = on.isoformat()
    return last | _renewal(wanted)


def _renewal(wanted: Contract) -> Body:
    terms = wanted["terms"]
    specific: Body = (
        {"renewalTerms": [dict(terms["renewalTerm"])]} if terms["renewalSetting"] == "RENEW_WITH_SPECIFIC_TERM" else {}
    )
    return {"renewalSetting": terms["renewalSetting"], "autoRenew": terms["autoRenew"], **specific}


def _ends_by(ending: Cancellation, on: date) -> bool:
    return ending["policy"] == "SpecificDate" and date.fromisoformat(ending["date"] or on.isoformat()) <= on


def _cancel(ending: Cancellation, *, start: date, on: date) -> Body:
    """Return the action that ends it, on the day of the order where no day is known, and never before it began."""
    body: Body = {"cancellationPolicy": ending["policy"]}
    if ending["policy"] == "SpecificDate":
        day = date.fromisoformat(ending["date"]) if ending["date"] else on
        body["cancellationEffectiveDate"] = max(day, start).isoformat()
    return _action("CancelSubscription", body, on=on)


def _action(kind: str, member: Body, *, on: date) -> Body:
    """Return an order action: its type, and the member of the same name."""
    return {
        "type": kind,
        kind[0].lower() + kind[1:]: member,
        "triggerDates": [{"name": name, "triggerDate": on.isoformat()} for name in _TRIGGERS],
    }


def _order(
    wanted: Contract, subscription: Body, *, number: str, on: date, account: str | None = None
) -> dict[str, Any]:
    return {
        "orderNumber": number,
        "orderDate": on.isoformat(),
        # The invoice owner: who pays, and until now has paid.
        "existingAccountNumber": account or wanted["account"],
        "subscriptions": [subscription],
    }
