"""Pushes a subscription: created and changed by orders only, each of them whole or not at all."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from catalog.models import Coupon, Package, Price
from integrations.models import EntityKind, SyncRecord
from integrations.zuora.digest import digest, plain
from integrations.zuora.errors import NotFound
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.contract import Contract, PlacedRatePlan
from integrations.zuora.mapping.order import (
    before_the_end,
    change_order,
    create_order,
    custom_fields_update,
    day_of_change,
    must_take_back,
)
from integrations.zuora.mapping.policy import DEFAULT_POLICY
from integrations.zuora.push import usage
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.link import link_by_billing_id
from integrations.zuora.push.notes import Root
from integrations.zuora.push.parents import account, placed
from integrations.zuora.push.place import Endpoints, Held, Wanted, adopt, confirm, create, find_out, leave
from integrations.zuora.push.records import Parts
from integrations.zuora.push.taking_back import take_back
from integrations.zuora.push.usage.charges import USAGE
from subscriptions.models import Subscription
from subscriptions.past import Past, contents_since, coupon_of

_DONE = frozenset({"Completed", "Pending"})


def push_subscription(far: Far, subscription: Subscription, record: SyncRecord) -> None:
    """Bring the subscription to what was sold, by one order that holds only what differs.

    Where several changes were missed, on several days, each day has its order, one after the other: what is known to be
    sent is noted after each, so whoever comes next goes on from there.

    Raises:
        Waits: its account, a rate plan or its coupon is not in Zuora yet.
        Mismatch: an order of ours is there and was not carried out.
    """
    endpoints = _endpoints(far, record, subscription)
    find_out(far, record, endpoints)
    wanted = _contract(far, subscription, record, coupon_of(subscription))
    if not record.is_linked:
        link_by_billing_id(far, record, subscription.billing_id, sent=plain(wanted))
    missed = _missed(far, subscription, record)
    if missed or (record.sent and must_take_back(_sent(record), wanted, today=far.tenant.day(far.clock()))):
        take_back(far, record)
        wanted = _contract(far, subscription, record, coupon_of(subscription))
    for past in missed:
        was = _as_of_then(_contract(far, past.subscription, record, past.coupon), record)
        _bring(far, record, was, endpoints, subscription)
        if not record.sent:
            break
    if missed:
        wanted = _contract(far, subscription, record, coupon_of(subscription))
    first = before_the_end(_sent(record) if record.sent else None, wanted, today=far.tenant.day(far.clock()))
    if first is not None:
        _bring(far, record, first, endpoints, subscription)
    _bring(far, record, wanted, endpoints, subscription)
    if not record.sent:  # adopted by its number: it is ours, and was made from the same contract
        adopt(far, record, Held(record.zuora_id, record.zuora_number), sent=plain(wanted))


def _missed(far: Far, subscription: Subscription, record: SyncRecord) -> list[Past]:
    """Return what the subscription was meanwhile and Zuora has not heard of: the last of each day, in order."""
    told, begin = subscription.effective_from, far.tenant.day(subscription.first_billed)
    sent = str(record.sent.get("effectiveFrom") or "")
    since = datetime.fromisoformat(sent) if sent else subscription.billing_anchor if record.is_linked else None
    heard = max(begin, far.tenant.day(since)) if since else begin
    if told is None or far.tenant.day(told) <= heard:
        return []
    by_day = {max(begin, far.tenant.day(past.since)): past for past in contents_since(subscription, since)}
    return [past for day, past in by_day.items() if day < far.tenant.day(told)]


def _as_of_then(was: Contract, record: SyncRecord) -> Contract:
    """Return a contract of the past that differs from what was sent in nothing but what was sold."""
    stays = ("account", "owner", "terms", "customFields") if record.sent else ()
    return cast("Contract", {**was, **{name: record.sent[name] for name in stays}})


def _sent(record: SyncRecord) -> Contract:
    return cast("Contract", record.sent)


def _bring(far: Far, record: SyncRecord, wanted: Contract, endpoints: Endpoints, subscription: Subscription) -> None:
    if not record.is_linked:
        order = _next_order(far, record, subscription)
        body = create_order(wanted, order_number=order, order_date=far.tenant.day(far.clock()))
        create(far, record, Wanted(body, order, compared=dict(wanted)), endpoints)
    elif record.sent:
        _change(far, record, wanted, endpoints, subscription)


def cancel_in_zuora(far: Far, subscription: Subscription, record: SyncRecord) -> None:
    """Cancel as of today what is in Zuora, though the rules say that it is no longer synced."""
    endpoints = _endpoints(far, record, subscription)
    find_out(far, record, endpoints)
    today = far.tenant.day(far.clock())
    wanted = cast("Contract", {**record.sent, "cancellation": {"policy": "SpecificDate", "date": today.isoformat()}})
    if must_take_back(_sent(record), wanted, today=today):
        take_back(far, record)
    _change(far, record, wanted, endpoints, subscription)


def _change(far: Far, record: SyncRecord, wanted: Contract, endpoints: Endpoints, subscription: Subscription) -> None:
    if record.digest == digest(wanted):
        if not far.dry:
            usage.keep_charges(far, subscription, kept=_charges(wanted))
        confirm(far, record)
        return
    sent = _sent(record)
    fields = custom_fields_update(sent, wanted)
    if fields is not None:
        far.before_write()
        far.client.update_subscription_custom_fields(record.zuora_number, fields)
        record.sent = {**record.sent, "customFields": wanted["customFields"]}
        record.save(update_fields=["sent"])
    order = _next_order(far, record, subscription)
    body = change_order(sent, wanted, order_number=order, order_date=far.tenant.day(far.clock()))
    if body is not None:
        if not far.dry:
            _send_last_usage(far, record, subscription, wanted)
        leave(far, record, Wanted(body, order, compared=dict(wanted)), endpoints)
        return
    far.before_write()
    adopt(far, record, Held(record.zuora_id, record.zuora_number), sent=plain(wanted))


def _send_last_usage(far: Far, record: SyncRecord, subscription: Subscription, wanted: Contract) -> None:
    """Send the usage of charges that the order ends, the running hour included, before it goes.

    What was used earlier on the day of a new price is moved before that day as well: a bill run may come next.
    """
    on = day_of_change(_sent(record), wanted, today=far.tenant.day(far.clock()))
    ends = usage.end_charges(far, subscription, record, kept=_charges(wanted), on=on)
    if ends or wanted["cancellation"] or _prices(_sent(record)) != _prices(wanted):
        usage.flush(far, subscription)


def _prices(contract: Contract) -> dict[str, Any]:
    """Return what charges by usage cost, by their keys."""
    charges = [charge for plan in contract["ratePlans"] for charge in plan["charges"] if USAGE in charge["key"]]
    return {charge["key"]: plain([charge.get("price"), charge.get("tiers")]) for charge in charges}


def _charges(wanted: Contract) -> list[str]:
    return [charge["id"] for plan in wanted["ratePlans"] for charge in plan["charges"]]


def _endpoints(far: Far, record: SyncRecord, subscription: Subscription) -> Endpoints:
    number = record.zuora_number or keys.subscription_number(subscription.ref_id, prefix=far.tenant.key_prefix)

    def find() -> Held | None:
        """Look for the order that left, or, when none did, for a subscription that carries our number."""
        try:
            if record.pending_number:
                _check_done(far.client.get_order(record.pending_number)["order"])
            return Held(str(far.client.get_subscription(number)["id"]), number)
        except NotFound:
            return None

    def held(answer: Mapping[str, Any]) -> Held:
        """Zuora names a new id with every version, and the number only when asked for no ids."""
        rows: Iterable[Mapping[str, Any]] = answer.get("subscriptions") or ()
        new_id = next((str(row["subscriptionId"]) for row in rows if row.get("subscriptionId")), "")
        return Held(new_id or str(far.client.get_subscription(number)["id"]), number)

    return Endpoints(
        create=lambda body, key: far.client.create_order(body, idempotency_key=key),
        held=held,
        find=find,
        update=lambda _: None,
    )


def _check_done(order: Mapping[str, Any]) -> None:
    if order.get("status") not in _DONE:
        raise Mismatch(
            f"Zuora has the order {order.get('orderNumber')} with the status {order.get('status')}, so it was not "
            "carried out: complete or delete it in Zuora, then retry."
        )


def _next_order(far: Far, record: SyncRecord, subscription: Subscription) -> str:
    """Return the next order's number; it is kept when the order leaves, and a gap in the numbers is harmless."""
    if not far.dry:
        record.sequence += 1
    return keys.order_number(subscription.ref_id, record.sequence, prefix=far.tenant.key_prefix)


def _contract(far: Far, subscription: Subscription, record: SyncRecord, coupon: Coupon | None) -> Contract:
    parents = _parents(far, subscription, coupon)
    owner = account(parents, subscription.customer)
    payer = owner if subscription.payer == subscription.customer else account(parents, subscription.payer)
    return DEFAULT_POLICY.contract(
        subscription,
        prices=_prices_sold(subscription),
        placed=_needed(far, parents, subscription, record, coupon),
        payer_account=payer.zuora_number,
        owner_account=owner.zuora_number,
        tenant=far.tenant,
        coupon=coupon,
        sent=_sent(record) if record.sent else None,
        number=record.zuora_number,
    )


def _parents(far: Far, subscription: Subscription, coupon: Coupon | None) -> Parts:
    """Return the records of its accounts and of all that is sold with it, parts included."""
    return {one.key: one for one in far.known.of(far.connection, parents_of(subscription, coupon))}


def parents_of(subscription: Subscription, coupon: Coupon | None) -> list[Root]:
    """Return the entities that must be in Zuora before it."""
    parents: list[Root] = [
        (EntityKind.CUSTOMER, subscription.customer.pk),
        (EntityKind.CUSTOMER, subscription.payer.pk),
        (EntityKind.PLAN, subscription.plan.pk),
        *((EntityKind.ADDON, row.addon.pk) for row in subscription.addons.all()),
        *((EntityKind.COUPON, one.pk) for one in [coupon] if one),
    ]
    return list(dict.fromkeys(parents))


def _needed(
    far: Far, parents: Parts, subscription: Subscription, record: SyncRecord, coupon: Coupon | None
) -> dict[str, PlacedRatePlan]:
    """Return the rate plans that the contract may take; one that runs already in this version is not waited for."""
    running = {plan["key"]: plan["version"] for plan in record.sent.get("ratePlans", ())}
    sold = {keys.plan_key(subscription.plan.ref_id): subscription.plan_version_number}
    sold |= {keys.addon_key(row.addon.ref_id): row.addon_version_number for row in subscription.addons.all()}
    charges = {keys.charge_key(key, price) for key, prices in _prices_sold(subscription).items() for price in prices}
    begun = max(subscription.first_billed, subscription.effective_from or subscription.first_billed)
    return {
        key: placed(parents, key, {one for one in charges if one.startswith(f"{key}/")}, on=far.tenant.day(begun))
        for key in DEFAULT_POLICY.rate_plan_keys(subscription, coupon=coupon)
        if key not in running or running[key] != sold.get(key.partition("/")[0], running[key])
    }


def _prices_sold(subscription: Subscription) -> dict[str, list[Price]]:
    """Return, by package key, the prices of the versions that were sold."""
    plan, version = subscription.plan, subscription.plan_version_number
    sold = {keys.plan_key(plan.ref_id): _of_version(plan, version)}
    for row in subscription.addons.all():
        sold[keys.addon_key(row.addon.ref_id)] = _of_version(row.addon, row.addon_version_number)
    return sold


def _of_version(package: Package, version: int) -> list[Price]:
    return [price for price in package.prices.all() if price.version_number == version]
