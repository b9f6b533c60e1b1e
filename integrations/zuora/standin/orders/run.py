"""Carry out an order: its actions in sequence, each making one version, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import invalid, missing, not_found, rule
from integrations.zuora.standin.orders import change, stop
from integrations.zuora.standin.orders.create import add_product, create_subscription, custom_fields, status_of
from integrations.zuora.standin.orders.versions import draft_of, save_next_version

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant

MEMBERS = {
    "CreateSubscription": "createSubscription",
    "AddProduct": "addProduct",
    "UpdateProduct": "updateProduct",
    "RemoveProduct": "removeProduct",
    "ChangePlan": "changePlan",
    "CancelSubscription": "cancelSubscription",
    "RenewSubscription": "renewSubscription",
    "OwnerTransfer": "ownerTransfer",
    "TermsAndConditions": "termsAndConditions",
    "Suspend": "suspend",
    "Resume": "resume",
}
TRIGGER_NAMES = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")


@dataclass(frozen=True)
class Step:
    """One order action, ready to be carried out."""

    kind: str
    member: dict[str, Any]
    dates: dict[str, str]


def run_order(tenant: Tenant, order: Row, entries: list[dict[str, Any]]) -> list[Row]:
    """Carry out every entry; what each did is returned for the order's record.

    Raises:
        Refusal: one action cannot be carried out, so none is.
    """
    done = []
    for sequence, entry in enumerate(entries, start=1):
        done.append({"Sequence": sequence, **_run_entry(tenant, order, entry)})
    return done


def _run_entry(tenant: Tenant, order: Row, entry: dict[str, Any]) -> Row:
    number = entry.get("subscriptionNumber")
    subscription = _existing(tenant, number) if number else None
    base_version = subscription["Version"] if subscription else None
    actions = []
    for index, action in enumerate(entry["orderActions"]):
        step = Step(action["type"], _member(action), _defaults(tenant, trigger_dates(order, action)))
        plans_before = {plan["OriginalRatePlanId"] for plan in subscription["RatePlans"]} if subscription else set()
        if step.kind == "CreateSubscription":
            if subscription is not None:
                raise invalid("CreateSubscription must come first, and without a subscriptionNumber beside it.")
            subscription = create_subscription(tenant, order, step.member, step.dates, entry)
        elif subscription is None:
            raise missing("subscriptions.subscriptionNumber")
        else:
            subscription = _change(tenant, order, subscription, step)
        fresh = [plan["Id"] for plan in subscription["RatePlans"] if plan["OriginalRatePlanId"] not in plans_before]
        actions.append({"Id": tenant.store.new_id(), "Sequence": index, "NewRatePlanIds": fresh, "Body": action})
    if subscription is None:
        raise missing("orderActions")
    if number and entry.get("customFields"):
        subscription = tenant.update("Subscription", subscription, **custom_fields(tenant, entry["customFields"]))
    return {
        "SubscriptionNumber": subscription["Name"],
        "BaseVersion": base_version,
        "NewVersion": subscription["Version"],
        "SubscriptionId": subscription["Id"],
        "Status": subscription["Status"],
        "OwnerId": subscription["AccountId"],
        "CustomFields": entry.get("customFields") or {},
        "Actions": actions,
    }


def _existing(tenant: Tenant, number: str) -> Row:
    row = tenant.store.find("Subscription", "Latest", number)
    if row is None:
        raise not_found("subscription", number)
    return row


def _member(action: dict[str, Any]) -> dict[str, Any]:
    """The member that carries the action.

    Raises:
        Refusal: another one is set beside it, or it is missing.
    """
    wanted = MEMBERS[action["type"]]
    misfits = [name for name in MEMBERS.values() if name != wanted and name in action]
    if misfits:
        raise invalid(f"'{misfits[0]}' does not fit an order action of type {action['type']}.")
    member = action.get(wanted)
    if member is None and action["type"] != "RenewSubscription":
        raise missing(f"orderActions.{wanted}")
    return member or {}


def trigger_dates(order: Row, action: dict[str, Any]) -> dict[str, str]:
    """The action's trigger dates; the contract is effective on the order date unless said otherwise."""
    dates = {"ContractEffective": str(order["OrderDate"])}
    for one in action.get("triggerDates") or []:
        name = one.get("name")
        if name not in TRIGGER_NAMES:
            raise invalid(f"A trigger date's name must be one of {', '.join(TRIGGER_NAMES)}.")
        if one.get("triggerDate"):
            dates[name] = one["triggerDate"]
    return dates


def _change(tenant: Tenant, order: Row, old: Row, step: Step) -> Row:
    kind, member, dates = step.kind, step.member, step.dates
    _may_change(old, kind)
    draft = draft_of(old)
    complete = True
    if kind == "AddProduct":
        complete = add_product(tenant, draft, member, dates)
    elif kind == "UpdateProduct":
        change.update_product(tenant, draft, member, dates)
    elif kind == "RemoveProduct":
        change.remove_product(tenant, draft, member, dates)
    elif kind == "ChangePlan":
        complete = change.change_plan(tenant, draft, member, dates)
    else:
        _change_whole(tenant, draft, kind, member)
    if not complete and draft["Status"] == "Active":
        draft["Status"] = status_of(tenant, draft, complete=False)
    draft.update(OrderId=order["Id"], OrderNumber=order["OrderNumber"])
    return save_next_version(tenant, old, draft)


def _defaults(tenant: Tenant, dates: dict[str, str]) -> dict[str, str]:
    """Activation and acceptance fall on the contract's date where the tenant does not ask for them."""
    whole = dict(dates)
    if not tenant.switches.require_service_activation:
        whole.setdefault("ServiceActivation", dates["ContractEffective"])
    if not tenant.switches.require_customer_acceptance:
        whole.setdefault("CustomerAcceptance", dates["ContractEffective"])
    return whole


def _change_whole(tenant: Tenant, draft: Row, kind: str, member: dict[str, Any]) -> None:
    if kind == "CancelSubscription":
        stop.cancel(tenant, draft, member)
    elif kind == "Suspend":
        stop.suspend(tenant, draft, member)
    elif kind == "Resume":
        stop.resume(tenant, draft, member)
    elif kind == "RenewSubscription":
        change.renew(draft)
    elif kind == "OwnerTransfer":
        change.transfer(tenant, draft, member)
    else:
        change.terms_and_conditions(draft, member)


def _may_change(subscription: Row, kind: str) -> None:
    status = subscription["Status"]
    if status in ("Cancelled", "Expired"):
        raise rule(f"Subscription {subscription['Name']} is {status} and cannot be changed.")
    if status == "Suspended" and kind != "Resume":
        raise rule(f"Subscription {subscription['Name']} is suspended; resume it first.")
