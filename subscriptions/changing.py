"""How a subscription comes to hold something else: whole or not at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.dependencies import dependency_problems
from catalog.models import Addon, BillingModel, Coupon, CouponStatus, Feature, Price
from catalog.tiers import amount_problems
from subscriptions.models import (
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)
from subscriptions.past import keep_past, present
from subscriptions.wanted import Content, Override

_Row = TypeVar("_Row", Addon, Feature)


@transaction.atomic
def apply(*, subscription: Subscription, content: Content, at: datetime) -> None:
    """Give the subscription, which the caller has locked, another content as of `at`.

    Only rows that differ are written, so that who listens to saves hears of differences alone.

    Raises:
        ValidationError: it cannot hold that; each sentence says what to do instead. An unknown id has a code that ends
            in "NotFound".
    """
    before = None if subscription._state.adding else present(subscription)  # noqa: SLF001 - Django's public name
    _set_fields(subscription, content)
    if content.latest:
        subscription.plan_version_number = subscription.plan.version_number
    if before is None and content.is_sold:
        subscription.effective_from = at
    subscription.full_clean()
    subscription.save()
    if content.addons is not None:
        _set_addons(subscription, content.addons)
    if content.latest:
        _move_addons(subscription)
    elif content.billing_period is not None:
        for held in subscription.addons.select_related("addon"):
            held.full_clean()
    quantities = _named_quantities(subscription, content)
    if quantities is not None:
        _set_quantities(subscription, quantities)
    if content.price_overrides is not None:
        _set_overrides(subscription, content.price_overrides)
    _drop_moot(subscription)
    if before is not None:
        keep_past(subscription, before=before, at=at)


def _set_fields(subscription: Subscription, content: Content) -> None:
    if content.billing_period is not None:
        subscription.billing_period = content.billing_period
    if content.coupon is not None:
        subscription.coupon = _coupon(content.coupon, held=subscription.coupon) if content.coupon else None
    if content.metadata is not None:
        subscription.metadata = dict(content.metadata)
    if content.billing_information is not None:
        subscription.billing_information = dict(content.billing_information)


def _coupon(ref_id: str, *, held: Coupon | None) -> Coupon:
    coupon = Coupon.objects.filter(ref_id=ref_id).first()
    if coupon is None:
        raise ValidationError(f"No coupon has the id {ref_id!r}.", code="CouponNotFound")
    if coupon != held and coupon.status != CouponStatus.ACTIVE:
        raise ValidationError(f"{coupon} is archived: choose an active coupon.")
    return coupon


def _found(model: type[_Row], wanted: Mapping[str, object], *, what: str, code: str) -> dict[str, _Row]:
    found: dict[str, _Row] = model._default_manager.in_bulk(list(wanted), field_name="ref_id")  # noqa: SLF001
    for ref_id in wanted:
        if ref_id not in found:
            raise ValidationError(f"No {what} has the id {ref_id!r}.", code=code)
    return found


def _set_addons(subscription: Subscription, wanted: Mapping[str, int]) -> None:
    found = _found(Addon, wanted, what="add-on", code="AddonNotFound")
    held = {row.addon_id: row for row in subscription.addons.select_related("addon")}
    for addon_id, row in held.items():
        if addon_id not in {addon.pk for addon in found.values()}:
            row.delete()
    for ref_id, quantity in wanted.items():
        row = held.get(found[ref_id].pk) or SubscriptionAddon(subscription=subscription, addon=found[ref_id])
        if row.pk is None or row.quantity != quantity:
            row.quantity = quantity
            row.full_clean()
            row.save()
    rows = subscription.addons.select_related("addon").prefetch_related("addon__dependencies")
    if problems := dependency_problems(held=[row.addon for row in rows]):
        raise ValidationError([ValidationError(text, code="AddonDependencyMissingError") for text in problems])


def _move_addons(subscription: Subscription) -> None:
    for row in subscription.addons.select_related("addon"):
        if row.addon_version_number != row.addon.version_number:
            row.addon_version_number = row.addon.version_number
            row.full_clean()
            row.save()


def _per_unit(subscription: Subscription) -> list[Price]:
    return [price for price in subscription.prices() if price.billing_model == BillingModel.PER_UNIT]


def _named_quantities(subscription: Subscription, content: Content) -> dict[str, int] | None:
    """Return units by feature, the plan's only unit by its name; None when none are given."""
    if content.unit_quantity is None:
        return None if content.quantities is None else dict(content.quantities)
    own = {price.feature.ref_id for price in _per_unit(subscription) if price.plan_id and price.feature}
    if len(own) != 1:
        raise ValidationError(
            f"{subscription.plan} is sold by {len(own)} units, so one quantity says nothing: give one per feature."
        )
    return {**(content.quantities or {}), own.pop(): content.unit_quantity}


def _set_quantities(subscription: Subscription, wanted: Mapping[str, int]) -> None:
    found = _found(Feature, wanted, what="feature", code="FeatureNotFound")
    held = {row.feature_id: row for row in subscription.quantities.all()}
    for ref_id, quantity in wanted.items():
        feature = found[ref_id]
        row = held.get(feature.pk) or SubscriptionQuantity(subscription=subscription, feature=feature)
        if row.pk is None or row.quantity != quantity:
            row.quantity = quantity
            row.full_clean()
            row.save()


def _set_overrides(subscription: Subscription, wanted: Sequence[Override]) -> None:
    prices = subscription.prices()
    held = {row.price_id: row for row in subscription.price_overrides.prefetch_related("tiers")}
    named: set[int] = set()
    for override in wanted:
        price = _overridden(override, prices, subscription)
        if price.pk in named:
            raise ValidationError(f"{price.package}, {price}: it is overridden twice; give one override of it.")
        named.add(price.pk)
        if problems := amount_problems(amount=override.amount, tiers=override.tiers, tiers_mode=price.tiers_mode):
            raise ValidationError([f"{price.package}, {price}: {problem}" for problem in problems])
        row = held.get(price.pk)
        if row is None or not _is_same(row, override):
            _save_override(row or PriceOverride(subscription=subscription, price=price), override)
    for price_id, row in held.items():
        if price_id not in named:
            row.delete()


def _overridden(override: Override, prices: Sequence[Price], subscription: Subscription) -> Price:
    currency = subscription.payer.billing_currency
    if override.currency and override.currency != currency:
        raise ValidationError(
            f"The override is in {override.currency}, but {subscription.payer} is billed in {currency or 'none'}."
        )
    for price in prices:
        owner = price.addon.ref_id if price.addon else ""
        feature = price.feature.ref_id if price.feature else ""
        if (owner, feature) == (override.addon, override.feature):
            return price
    where = f"add-on {override.addon}" if override.addon else f"plan {subscription.plan.ref_id}"
    what = f"by the feature {override.feature}" if override.feature else "for a fee"
    raise ValidationError(f"Nothing of {where} is sold {what} in this subscription, so no price can be overridden.")


def _is_same(row: PriceOverride, override: Override) -> bool:
    tiers = tuple((tier.up_to, tier.unit_price, tier.flat_price) for tier in row.tiers.all())
    return (row.amount, tiers) == (
        override.amount,
        tuple((tier.up_to, tier.unit_price, tier.flat_price) for tier in override.tiers),
    )


def _save_override(row: PriceOverride, override: Override) -> None:
    row.amount = override.amount
    row.full_clean()
    row.save()
    row.tiers.all().delete()
    for tier in override.tiers:
        step = PriceOverrideTier(
            price_override=row, up_to=tier.up_to, unit_price=tier.unit_price, flat_price=tier.flat_price
        )
        step.full_clean()
        step.save()


def _drop_moot(subscription: Subscription) -> None:
    """Move overrides along to the prices that are charged now, and delete what speaks of nothing any more.

    Raises:
        ValidationError: a price was agreed for another billing period, and says nothing about this one.
    """
    prices = subscription.prices()
    now = {_shape(price): price for price in prices}
    units = {price.feature_id for price in prices if price.billing_model == BillingModel.PER_UNIT}
    for quantity in subscription.quantities.all():
        if quantity.feature_id not in units:
            quantity.delete()
    kept = {price.pk for price in prices}
    for row in subscription.price_overrides.select_related("price"):
        if row.price_id in kept:
            continue
        if row.price.billing_period != subscription.billing_period:
            raise ValidationError(
                f"{subscription} has prices of its own for {row.price.billing_period}: give those for "
                f"{subscription.billing_period or 'no period'} along, or an empty list."
            )
        if (price := now.get(_shape(row.price))) is None:
            row.delete()
            continue
        row.price = price
        row.save()


def _shape(price: Price) -> tuple[object, ...]:
    return (price.plan_id, price.addon_id, price.billing_model, price.billing_cadence, price.feature_id)
