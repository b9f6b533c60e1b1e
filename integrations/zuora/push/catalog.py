"""Pushes what the mapping says of a plan, add-on or coupon: product, rate plans, charges, units of measure."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.db import transaction

from catalog.models import Addon, Coupon, CouponStatus, PackageStatus, Plan, PriceAmount
from integrations.models import EntityKind, SyncRecord
from integrations.zuora.client import field
from integrations.zuora.digest import plain
from integrations.zuora.mapping.nodes import Body, ChargeNode, ProductNode, RatePlanNode
from integrations.zuora.mapping.policy import DEFAULT_POLICY
from integrations.zuora.push.adopting import adopt_charge, adopt_rate_plan
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.link import link_by_billing_id
from integrations.zuora.push.place import Endpoints, Held, Wanted, adopt, confirm, place
from integrations.zuora.push.records import RETIRED, Parts, part, parts_of, retire
from integrations.zuora.push.unit import place_unit

#: What a PUT of a charge has to name, and its prices.
_LEAST = {
    "BillCycleType",
    "BillingPeriod",
    "ChargeModel",
    "ProductRatePlanChargeTierData",
    "TriggerEvent",
    "UseDiscountSpecificAccountingCode",
}


def push_package(far: Far, package: Plan | Addon, record: SyncRecord) -> None:
    """Bring the product of a plan or add-on, its rate plans and charges to what is on sale."""
    prices = [price for price in package.prices.all() if price.version_number == package.version_number]

    def tree(generations: Mapping[str, int]) -> ProductNode:
        return DEFAULT_POLICY.package_tree(
            package,
            prices=prices,
            tenant=far.tenant,
            today=far.tenant.day(far.clock()),
            generations=generations,
            expired_on=_expired_on(far, record),
        )

    _push(far, record, tree, billing_id=package.billing_id, expires=package.status == PackageStatus.ARCHIVED)


def push_coupon(far: Far, coupon: Coupon, record: SyncRecord) -> None:
    """Bring the discount product of a coupon, its rate plans and charges to what the coupon says."""
    currencies = sorted(PriceAmount.objects.values_list("currency", flat=True).distinct())

    def tree(generations: Mapping[str, int]) -> ProductNode:
        return DEFAULT_POLICY.coupon_tree(
            coupon,
            currencies=currencies,
            tenant=far.tenant,
            today=far.tenant.day(far.clock()),
            generations=generations,
            expired_on=_expired_on(far, record),
        )

    _push(far, record, tree, billing_id=coupon.billing_id, expires=coupon.status == CouponStatus.ARCHIVED)


def _push(
    far: Far, record: SyncRecord, tree: Callable[[Mapping[str, int]], ProductNode], *, billing_id: str, expires: bool
) -> None:
    parts = parts_of(far, record)
    generations = {one.key: one.generation for one in _in_use(parts) if one.kind == EntityKind.BILLING_PERIOD}
    node = tree(generations)
    link_by_billing_id(far, record, billing_id)
    if successors := _succeed(far, record, parts, node):
        node = tree(generations | successors)
    _push_tree(far, record, parts, node, expires=expires)


def _in_use(parts: Parts) -> list[SyncRecord]:
    return [one for key, one in parts.items() if RETIRED not in key]


def _push_tree(far: Far, record: SyncRecord, parts: Parts, node: ProductNode, *, expires: bool) -> None:
    # Zuora wants rate plans expired before their product, and a product in force before its rate plans.
    if not (expires and record.is_linked):
        _place_product(far, record, node)
    for rate_plan in node.rate_plans:
        _place_rate_plan(far, record, parts, rate_plan)
    _expire_retired(far, parts, node)
    if expires:
        _place_product(far, record, node)
    confirm(far, record)  # only now: until its last charge is there, nothing may be sold of it


def _place_product(far: Far, record: SyncRecord, node: ProductNode) -> None:
    endpoints = Endpoints(
        create=lambda body, key: far.client.create_product(body, idempotency_key=key),
        held=_held,
        find=lambda: _found(far.client.find_product(sku=node.sku), node.sku),
        update=lambda product_id: far.client.update_product(product_id, node.update),
    )
    place(far, record, Wanted(node.body, node.sku, compared=_compared(node.body, node.update)), endpoints)


def _place_rate_plan(far: Far, root: SyncRecord, parts: Parts, node: RatePlanNode) -> None:
    record = part(far, parts, key=node.key, kind=EntityKind.BILLING_PERIOD, root=root)
    adopt_rate_plan(far, record, node, product_id=root.zuora_id)
    body = {**node.body, "ProductId": root.zuora_id}
    endpoints = Endpoints(
        create=lambda raw, key: far.client.create_rate_plan(raw, idempotency_key=key),
        held=_held,
        find=lambda: _found(far.client.find_rate_plan(product_id=root.zuora_id, number=node.number), node.number),
        update=lambda rate_plan_id: far.client.update_rate_plan(rate_plan_id, node.update),
    )
    compared = {**_compared(body, node.update), "shape": node.shape}
    place(far, record, Wanted(body, node.number, compared=compared), endpoints)
    for charge in node.charges:
        if charge.unit is not None:
            place_unit(far, charge.unit)
        held = part(far, parts, key=charge.key, kind=EntityKind.CHARGE, root=root)
        _place_charge(far, held, record, charge)


def _place_charge(far: Far, record: SyncRecord, rate_plan: SyncRecord, node: ChargeNode) -> None:
    body = {**node.body, "ProductRatePlanId": rate_plan.zuora_id}

    def find() -> Held | None:
        row = far.client.find_charge(rate_plan_id=rate_plan.zuora_id, number=node.number)
        return _found(_checked_shape(row, node), node.number)

    if (theirs := adopt_charge(far, record, node, rate_plan=rate_plan)) is not None:
        _checked_shape(theirs, node)
        far.before_write()
        number = str(field(theirs, "productRatePlanChargeNumber") or node.number)
        adopt(far, record, Held(str(field(theirs, "id")), number), sent={})
        record.linked_by_hand = True
        far.note(record, {"linked_by_hand"})
    # Of a charge that somebody else made, and sells, nothing but the price is ours to change.
    update = {name: value for name, value in node.update.items() if name in _LEAST or not record.linked_by_hand}
    endpoints = Endpoints(
        create=lambda raw, key: far.client.create_charge(raw, idempotency_key=key),
        held=_held,
        find=find,
        update=lambda charge_id: far.client.update_charge(
            charge_id, {**update, "ProductRatePlanId": rate_plan.zuora_id}
        ),
    )
    place(far, record, Wanted(body, node.number), endpoints)


def _checked_shape(row: dict[str, Any] | None, node: ChargeNode) -> dict[str, Any] | None:
    """Refuse to adopt a charge that carries our number and bills in another way."""
    if row is None:
        return None
    for name in ("ChargeModel", "ChargeType", "UOM"):
        there, ours = field(row, name), node.body.get(name)
        if there not in (None, "", ours):
            raise Mismatch(
                f"Zuora's charge {node.number} has the {name} {there}, and ours has {ours or 'none'}: "
                "give the charge in Zuora another number, then retry."
            )
    return row


def _succeed(far: Far, root: SyncRecord, parts: Parts, node: ProductNode) -> dict[str, int]:
    """Retire the rate plans that Zuora cannot change in place, and return their successors' generations."""
    records = _in_use(parts)
    wanted = {plan.key: plain(plan.shape) for plan in node.rate_plans}
    successors = {}
    for period in (one for one in records if one.kind == EntityKind.BILLING_PERIOD and one.key in wanted):
        sent = period.sent or period.pending_sent
        if sent and sent.get("shape") != wanted[period.key]:
            far.before_write()
            charges = [one for one in records if one.kind == EntityKind.CHARGE and one.key.startswith(f"{period.key}/")]
            successors[period.key] = period.generation + 1
            with transaction.atomic():
                key = period.key
                retire(parts, period, charges)
                parts[key] = SyncRecord.objects.create(
                    connection=root.connection,
                    key=key,
                    kind=period.kind,
                    root_kind=root.root_kind,
                    root_id=root.root_id,
                    generation=successors[key],
                )
    return successors


def _expire_retired(far: Far, parts: Parts, node: ProductNode) -> None:
    """Expire the rate plans that have a successor or are no longer on sale; nothing in use is ever deleted."""
    on_sale = {plan.key for plan in node.rate_plans}
    periods = sorted((one for one in parts.values() if one.kind == EntityKind.BILLING_PERIOD), key=lambda one: one.key)
    for period in periods:
        if not period.is_linked or period.key in on_sale or "expired" in period.sent:
            continue
        far.before_write()
        day = far.tenant.day(far.clock()).isoformat()
        far.client.update_rate_plan(period.zuora_id, {"EffectiveEndDate": day})
        period.sent = {**period.sent, "expired": day}
        period.digest = ""  # should it ever be sold again, it is sent whole
        period.save(update_fields=["sent", "digest"])


def _expired_on(far: Far, record: SyncRecord) -> date | None:
    """Return the day on which Zuora was told that it ended: what is archived is not archived anew every day."""
    told = record.sent.get("EffectiveEndDate")
    return date.fromisoformat(told) if told and told != far.tenant.catalog_end.isoformat() else None


def _compared(body: Body, update: Body) -> Body:
    return {**body, **update}


def _held(answer: Any) -> Held:
    return Held(str(answer["Id"]))


def _found(row: dict[str, Any] | None, number: str) -> Held | None:
    return Held(str(field(row, "id")), number) if row else None
