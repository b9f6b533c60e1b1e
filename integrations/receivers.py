"""Every save that Zuora should hear of: the only place where signals are received.

The job is written in the same transaction as the change, so both are stored or neither; the worker is woken after the
commit. `update()` and `bulk_create()` send no signal: the nightly reconcile finds those.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db import models, transaction
from django.db.models import ProtectedError, Q
from django.db.models.signals import post_delete, post_save, pre_delete
from django.utils import timezone

from catalog.models import Addon, Coupon, CouponAmount, CouponType, Feature, Plan, Price, PriceAmount, PriceTier
from integrations import operating, outbox, timeline
from integrations.collecting import collect
from integrations.entities import ENTITIES, entity_of
from integrations.models import Connection, Happening, Priority, SyncRecord
from integrations.tasks import ring
from subscriptions.models import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)

Rows = Iterable[models.Model]


def _of_price(price: Price) -> Rows:
    # A drafted version is nobody's business until it is published.
    return [price.package] if price.version_number == price.package.version_number else []


def _of_amount(amount: PriceAmount) -> Rows:
    yield from _of_price(amount.price)
    if not PriceAmount.objects.filter(currency=amount.currency).exclude(pk=amount.pk).exists():
        # A percentage, too, holds in Zuora only for the currencies that it names.
        yield from Coupon.objects.filter(coupon_type=CouponType.PERCENTAGE)


def _of_feature(feature: Feature) -> Rows:
    on_sale = Q(prices__feature=feature, prices__version_number=models.F("version_number"))
    yield from Plan.objects.filter(on_sale).distinct()
    yield from Addon.objects.filter(on_sale).distinct()


def _with_customers(subscription: Subscription) -> Rows:
    """A subscription makes its customer worth a second look, and whoever pays for it."""
    yield subscription
    yield subscription.customer
    if subscription.paying_customer is not None:
        yield subscription.paying_customer


def _of_customer_coupon(held: CustomerCoupon) -> Rows:
    return Subscription.objects.filter(customer_id=held.customer_id)


def _itself(row: models.Model) -> Rows:
    return [row]


#: For each model whose rows matter to Zuora: the entities that are to be pushed when a row changes.
ENTITIES_BEHIND: dict[type[models.Model], Callable[[Any], Rows]] = {
    **{entity.model: _itself for entity in ENTITIES.values()},
    Price: _of_price,
    PriceAmount: _of_amount,
    PriceTier: lambda tier: _of_price(tier.price_amount.price),
    Feature: _of_feature,
    CouponAmount: lambda amount: [amount.coupon],
    Subscription: _with_customers,
    SubscriptionAddon: lambda held: [held.subscription],
    SubscriptionQuantity: lambda held: [held.subscription],
    PriceOverride: lambda override: [override.subscription],
    PriceOverrideTier: lambda tier: [tier.price_override.subscription],
    CustomerCoupon: _of_customer_coupon,
}


def wish_for_saved(
    sender: type[models.Model],
    instance: models.Model,
    *,
    raw: bool = False,
    update_fields: Collection[str] | None = None,
    **_: Any,
) -> None:
    """Store the wish to push whatever this row belongs to, and who saved it."""
    if raw:  # a fixture is loaded: its rows may not be whole yet
        return
    _wish(ENTITIES_BEHIND[sender](instance), cause=instance, what=Happening.SAVED, fields=update_fields or ())


def wish_for_deleted(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    """Store the wish to push whatever lost this row, unless that is deleted with it."""
    try:
        rows = list(ENTITIES_BEHIND[sender](instance))
    except models.ObjectDoesNotExist:
        return
    left = [row for row in rows if row.pk is not None and type(row)._default_manager.filter(pk=row.pk).exists()]  # noqa: SLF001
    _wish(left, cause=instance, what=Happening.DELETED)
    entity = entity_of(instance)
    if entity is not None:
        # It was never in Zuora: nothing is known of it, and it must not be counted.
        SyncRecord.objects.filter(kind=entity.kind, root_id=instance.pk).delete()


def refuse_to_delete(sender: type[models.Model], instance: models.Model, **_: Any) -> None:
    """Refuse to delete what Zuora knows.

    Raises:
        ProtectedError: it is in Zuora, where it would stay for ever without anybody looking after it.
    """
    entity = entity_of(instance)
    if entity is None:
        return
    known = SyncRecord.objects.filter(kind=entity.kind, root_id=instance.pk).filter(
        ~Q(zuora_id="") | Q(pending_since__isnull=False)
    )
    if known.exists():
        name = sender._meta.verbose_name  # noqa: SLF001 - Django's public name for it
        raise ProtectedError(f"This {name} is in Zuora, which keeps it: archive or cancel it instead.", {instance})


def _wish(rows: Rows, *, cause: models.Model, what: Happening, fields: Collection[str] = ()) -> None:
    touched = [(row, entity.wish(row)) for row in rows if (entity := entity_of(row)) is not None]
    wishes = [wish for row, wish in touched if getattr(row, "status", "") != "DRAFT"]
    if collect(wishes):
        return
    now = timezone.now()
    entities = [(wish.kind, wish.entity_id) for _, wish in touched]
    timeline.note(what=what, entities=entities, now=now, subject=_name(cause), fields=fields)
    connection = Connection.objects.active().first() if wishes else None
    if connection is None:
        return
    jobs = outbox.wish(connection=connection, wishes=wishes, now=now, priority=Priority.CHANGE)
    bell = partial(ring, jobs, priority=Priority.CHANGE, delay=settings.SYNC_SETTLE_SECONDS)
    transaction.on_commit(bell, robust=True)


def _name(row: models.Model) -> str:
    """Return what a row is called, without a query: `subscription first`, `price`."""
    return f"{row._meta.verbose_name} {getattr(row, 'ref_id', '')}".strip()  # noqa: SLF001 - Django's public name for it


def note_raw_change(instance: LogEntry, created: bool, **_: Any) -> None:  # noqa: FBT001 - Django's signature
    """Write what somebody does in Django admin into the audit log, too; our own rows' verbs have done so already."""
    if not created or (instance.content_type and instance.content_type.app_label == "integrations"):
        return
    operating.note(
        actor=instance.user,
        action=_RAW[instance.action_flag],
        subject=f"{instance.content_type}: {instance.object_repr}"[:300],
        now=timezone.now(),
        changed=instance.get_change_message(),
    )


_RAW = {ADDITION: "add in raw rows", CHANGE: "change in raw rows", DELETION: "delete in raw rows"}
post_save.connect(note_raw_change, sender=LogEntry, dispatch_uid="audit")
for _model in ENTITIES_BEHIND:
    post_save.connect(wish_for_saved, sender=_model, dispatch_uid="sync")
    post_delete.connect(wish_for_deleted, sender=_model, dispatch_uid="sync")
for _entity in ENTITIES.values():
    pre_delete.connect(refuse_to_delete, sender=_entity.model, dispatch_uid="sync")
