"""Pushes what the mapping says of a plan, add-on or coupon: product, rate plans, charges, units of measure."""

from datetime import date
from typing import Any

from django.db import transaction

from catalog.models import Addon, Coupon, CouponStatus, Package, PackageStatus, Plan
from integrations.models import EntityKind, SyncRecord
from integrations.zuora.client import field
from integrations.zuora.digest import plain
from integrations.zuora.mapping.coupon import coupon_tree
from integrations.zuora.mapping.nodes import Body, ChargeNode, ProductNode, RatePlanNode
from integrations.zuora.mapping.package import package_tree
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.link import link_by_billing_id
from integrations.zuora.push.place import Endpoints, Held, Wanted, place
from integrations.zuora.push.records import RETIRED, record_for, retire
from integrations.zuora.push.unit import place_unit


def push_package(far: Far, package: Plan | Addon, record: SyncRecord) -> None:
    """Bring the product of a plan or add-on, its rate plans and charges to what is on sale."""
    prices = list(package.prices.of_version(package.version_number))
    today = _today(far, record, package)

    def tree(generations: dict[str, int]) -> ProductNode:
        return package_tree(package, prices=prices, tenant=far.tenant, generations=generations, today=today)

    generations = _generations(record)
    node = tree(generations)
    succeeded = _succeed(far, record, node)
    if succeeded:
        node = tree(generations | succeeded)
    link_by_billing_id(far, record, package.billing_id)
    _push_tree(far, record, node, expires=package.status == PackageStatus.ARCHIVED)


def push_coupon(far: Far, coupon: Coupon, record: SyncRecord) -> None:
    """Bring the discount product of a coupon, its rate plan and charge to what the coupon says."""
    today = _today(far, record, coupon)
    link_by_billing_id(far, record, coupon.billing_id)
    node = coupon_tree(coupon, amounts=list(coupon.amounts.all()), tenant=far.tenant, today=today)
    _push_tree(far, record, node, expires=coupon.status == CouponStatus.ARCHIVED)


def _push_tree(far: Far, record: SyncRecord, node: ProductNode, *, expires: bool) -> None:
    # Zuora wants rate plans expired before their product, and a product in force before its rate plans.
    if not (expires and record.is_linked):
        _place_product(far, record, node)
    for rate_plan in node.rate_plans:
        _place_rate_plan(far, record, rate_plan)
    _expire_retired(far, record, node)
    if expires:
        _place_product(far, record, node)


def _place_product(far: Far, record: SyncRecord, node: ProductNode) -> None:
    endpoints = Endpoints(
        create=lambda body, key: far.client.create_product(body, idempotency_key=key),
        held=_held,
        find=lambda: _found(far.client.find_product(sku=node.sku), node.sku),
        update=lambda product_id: far.client.update_product(product_id, node.update),
    )
    place(far, record, Wanted(node.body, node.sku, compared=_compared(node.body, node.update)), endpoints)


def _place_rate_plan(far: Far, root: SyncRecord, node: RatePlanNode) -> None:
    record = record_for(far, key=node.key, kind=EntityKind.BILLING_PERIOD, root=root)
    body = {**node.body, "ProductId": root.zuora_id}
    endpoints = Endpoints(
        create=lambda raw, key: far.client.create_rate_plan(raw, idempotency_key=key),
        held=_held,
        find=lambda: _found(far.client.find_rate_plan(product_id=root.zuora_id, number=node.number), node.number),
        update=lambda rate_plan_id: far.client.update_rate_plan(rate_plan_id, node.update),
    )
    place(far, record, Wanted(body, node.number, compared=_compared(body, node.update)), endpoints)
    for charge in node.charges:
        _place_charge(far, root, record, charge)


def _place_charge(far: Far, root: SyncRecord, rate_plan: SyncRecord, node: ChargeNode) -> None:
    if node.unit is not None:
        place_unit(far, node.unit)
    record = record_for(far, key=node.key, kind=EntityKind.CHARGE, root=root)
    body = {**node.body, "ProductRatePlanId": rate_plan.zuora_id}

    def find() -> Held | None:
        row = far.client.find_charge(rate_plan_id=rate_plan.zuora_id, number=node.number)
        return _found(_checked_shape(row, node), node.number)

    endpoints = Endpoints(
        create=lambda raw, key: far.client.create_charge(raw, idempotency_key=key),
        held=_held,
        find=find,
        update=lambda charge_id: far.client.update_charge(charge_id, _charge_update(node)),
    )
    place(far, record, Wanted(body, node.number, compared={"body": body, "shape": node.shape}), endpoints)


def _charge_update(node: ChargeNode) -> Body:
    """Return the PUT body: a PUT must carry what a create must, and changes the price of the rows it finds."""
    fixed = {"ProductRatePlanId", "ProductRatePlanChargeNumber", "Name", "Description"}
    return {name: value for name, value in node.body.items() if name not in fixed} | node.texts


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


def _generations(root: SyncRecord) -> dict[str, int]:
    periods = SyncRecord.objects.filter(connection=root.connection, kind=EntityKind.BILLING_PERIOD)
    rows = periods.of(kind=root.root_kind, entity_id=root.root_id).exclude(key__contains=RETIRED)
    return dict(rows.values_list("key", "generation"))


def _succeed(far: Far, root: SyncRecord, node: ProductNode) -> dict[str, int]:
    """Retire the rate plans that Zuora cannot change in place, and return their successors' generations."""
    rows = SyncRecord.objects.filter(connection=root.connection).of(kind=root.root_kind, entity_id=root.root_id)
    records = list(rows.exclude(key__contains=RETIRED))
    wanted = {plan.key: {charge.key: plain(charge.shape) for charge in plan.charges} for plan in node.rate_plans}
    successors = {}
    for period in (one for one in records if one.kind == EntityKind.BILLING_PERIOD and one.key in wanted):
        charges = [one for one in records if one.kind == EntityKind.CHARGE and one.key.startswith(f"{period.key}/")]
        if any(_cannot_change(charge, wanted[period.key]) for charge in charges):
            far.before_write()
            successors[period.key] = period.generation + 1
            with transaction.atomic():
                retire(period, charges)
                record_for(far, key=_key_before(period), kind=EntityKind.BILLING_PERIOD, root=root)
                SyncRecord.objects.filter(connection=root.connection, key=_key_before(period)).update(
                    generation=period.generation + 1
                )
    return successors


def _cannot_change(charge: SyncRecord, wanted: dict[str, Any]) -> bool:
    """Whether the charge is gone, or bills in another way than what Zuora holds (or may hold)."""
    sent = charge.sent or charge.pending_sent
    return bool(sent) and sent.get("shape") != wanted.get(charge.key)


def _key_before(retired: SyncRecord) -> str:
    return retired.key.rpartition(RETIRED)[0]


def _expire_retired(far: Far, root: SyncRecord, node: ProductNode) -> None:
    """Expire the rate plans that have a successor or are no longer on sale; nothing in use is ever deleted."""
    on_sale = {plan.key for plan in node.rate_plans}
    periods = SyncRecord.objects.filter(connection=root.connection, kind=EntityKind.BILLING_PERIOD).of(
        kind=root.root_kind, entity_id=root.root_id
    )
    for period in periods.exclude(zuora_id=""):
        if period.key in on_sale or "expired" in period.sent:
            continue
        far.before_write()
        day = far.tenant.day(far.clock()).isoformat()
        far.client.update_rate_plan(period.zuora_id, {"EffectiveEndDate": day})
        period.sent = {**period.sent, "expired": day}
        period.digest = ""  # should it ever be sold again, it is sent whole
        period.save(update_fields=["sent", "digest"])


def _today(far: Far, record: SyncRecord, row: Package | Coupon) -> date:
    """Return the day on which Zuora was told that it ended, or today: what is archived is not archived anew every day."""
    told = record.sent.get("EffectiveEndDate")
    if row.status == PackageStatus.ARCHIVED and told and told != far.tenant.catalog_end.isoformat():
        return date.fromisoformat(told)
    return far.tenant.day(far.clock())


def _compared(body: Body, update: Body) -> Body:
    return {**body, **update}


def _held(answer: Any) -> Held:
    return Held(str(answer["Id"]))


def _found(row: dict[str, Any] | None, number: str) -> Held | None:
    return Held(str(field(row, "id")), number) if row else None
