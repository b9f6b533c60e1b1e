"""What an application is told of a subscription."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.db.models import Prefetch, QuerySet
from pydantic import Field

from catalog.models import (
    BillingCadence,
    BillingModel,
    BillingPeriod,
    Coupon,
    Price,
    PriceAmount,
    PricingType,
    TrialEndBehavior,
)
from catalog.tiers import TierRow
from integrations.api.money import MoneyOut, Tidy, country
from integrations.api.schema import Output, SyncState
from integrations.api.sync_states import Standing, standings
from integrations.entities import ENTITIES
from integrations.models import EntityKind
from integrations.zuora.mapping.amounts import localised
from subscriptions.models import (
    OPEN,
    CancelReason,
    PaymentCollection,
    PaymentCollectionMethod,
    PriceOverride,
    ScheduledChange,
    ScheduleStatus,
    Subscription,
    SubscriptionStatus,
)
from subscriptions.models.schedule import ChangeType
from subscriptions.periods import Period, current_period


class HeldAddon(Output):
    """An add-on, so many times."""

    id: str
    quantity: int
    version_number: int = Field(description="Not Stigg's: the version that it was sold.")


class HeldCharge(Output):
    """So many units of a feature."""

    id: str
    type: Literal["FEATURE"] = "FEATURE"
    quantity: int


class HeldCoupon(Output):
    """The coupon that applies: its own, or its customer's."""

    id: str
    name: str
    status: Literal["ACTIVE"] = "ACTIVE"
    percent_off: Tidy | None
    amounts_off: list[MoneyOut] | None


class Target(Output):
    """The plan that comes."""

    id: str


class FutureUpdate(Output):
    """What is scheduled."""

    scheduled_execution_time: datetime
    schedule_status: ScheduleStatus
    subscription_schedule_type: ChangeType
    target_package: Target | None
    content: dict[str, Any] = Field(description="Not Stigg's: what will be; a plan is a subscription of its own.")


class OverrideTierOut(Output):
    """A step of a price."""

    up_to: int | None
    unit_price: MoneyOut | None
    flat_price: MoneyOut | None


class PriceOut(Output):
    """What is paid: the override, or the list price of the version that was sold, in the payer's currency."""

    addon_id: str | None
    feature_id: str | None
    base_charge: bool
    billing_model: BillingModel = Field(description="Not Stigg's: which of several charges it is.")
    billing_cadence: BillingCadence = Field(description="Not Stigg's: which of several charges it is.")
    amount: Tidy | None
    currency: str | None
    tiers: list[OverrideTierOut] | None
    block_size: int | None
    billing_country_code: str | None


class TrialOut(Output):
    """What comes after the trial."""

    trial_end_behavior: TrialEndBehavior


class SubscriptionOut(Output):
    """A subscription."""

    id: str
    customer_id: str
    plan_id: str
    plan_version_number: int
    pricing_type: PricingType
    billing_period: BillingPeriod | None
    status: SubscriptionStatus
    created_at: datetime
    start_date: datetime
    trial: TrialOut | None
    trial_end_date: datetime | None
    end_date: datetime | None
    effective_end_date: datetime | None
    effective_from: datetime | None = Field(description="Not Stigg's: when what it holds now took effect.")
    billed_from: datetime | None = Field(description="Not Stigg's: what came before was billed elsewhere.")
    billed_until: datetime | None = Field(description="Not Stigg's: billed up to here, though it ended before.")
    cancellation_date: datetime | None
    cancel_reason: CancelReason | None
    billing_cycle_anchor: datetime
    current_billing_period_start: datetime | None
    current_billing_period_end: datetime | None
    addons: list[HeldAddon]
    charges: list[HeldCharge]
    prices: list[PriceOut]
    coupons: list[HeldCoupon]
    future_updates: list[FutureUpdate]
    metadata: dict[str, str]
    resource_id: str | None
    paying_customer_id: str | None
    payment_collection: PaymentCollection
    payment_collection_method: PaymentCollectionMethod | None
    billing_id: str | None
    billing_link_url: str | None
    sync_states: tuple[SyncState, ...]


def with_content(rows: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """Have all that is told of them read along, in as many queries for one as for many."""
    entity = ENTITIES[EntityKind.SUBSCRIPTION]
    scheduled = ScheduledChange.objects.filter(status__in=OPEN).select_related("successor__plan")
    coupons = ("coupon__amounts", "customer__customer_coupon__coupon__amounts")
    read: QuerySet[Subscription] = rows.select_related(*entity.related)
    names: Sequence[str | Prefetch[Any]] = (*entity.prefetched, *coupons)
    return read.prefetch_related(*names).prefetch_related(Prefetch("scheduled_changes", scheduled))


def told(subscriptions: Sequence[Subscription], *, now: datetime) -> list[SubscriptionOut]:
    """Write subscriptions that were read `with_content`."""
    standing = standings(EntityKind.SUBSCRIPTION, subscriptions)
    return [_out(one, standing[one.pk], now) for one in subscriptions]


def _out(one: Subscription, standing: Standing, now: datetime) -> SubscriptionOut:
    period = _period(one, now)
    return SubscriptionOut(
        id=one.ref_id,
        customer_id=one.customer.ref_id,
        plan_id=one.plan.ref_id,
        plan_version_number=one.plan_version_number,
        pricing_type=PricingType(one.plan.pricing_type),
        billing_period=BillingPeriod(one.billing_period) if one.billing_period else None,
        status=SubscriptionStatus(one.status),
        created_at=one.created_at,
        start_date=one.start_date,
        trial=TrialOut(trial_end_behavior=TrialEndBehavior(one.trial_end_behavior)) if one.trial_end_date else None,
        trial_end_date=one.trial_end_date,
        end_date=one.effective_end_date or one.cancellation_date,
        effective_end_date=one.effective_end_date,
        effective_from=one.effective_from,
        billed_from=one.billed_from,
        billed_until=one.billed_until,
        cancellation_date=one.cancellation_date,
        cancel_reason=CancelReason(one.cancel_reason) if one.cancel_reason else None,
        billing_cycle_anchor=one.billing_anchor,
        current_billing_period_start=period.start if period else None,
        current_billing_period_end=period.end if period else None,
        addons=[
            HeldAddon(id=held.addon.ref_id, quantity=held.quantity, version_number=held.addon_version_number)
            for held in one.addons.all()
        ],
        charges=[HeldCharge(id=held.feature.ref_id, quantity=held.quantity) for held in one.quantities.all()],
        prices=[_price(price, one) for price in _sold(one)],
        coupons=[_coupon(coupon) for coupon in _applied(one)],
        future_updates=[_future(change) for change in one.scheduled_changes.all()],
        metadata=one.metadata,
        resource_id=one.resource_id or None,
        paying_customer_id=one.paying_customer.ref_id if one.paying_customer else None,
        payment_collection=PaymentCollection(one.payment_collection),
        payment_collection_method=(
            PaymentCollectionMethod(one.payment_collection_method) if one.payment_collection_method else None
        ),
        billing_id=standing.billing_id,
        billing_link_url=standing.billing_link_url,
        sync_states=standing.states,
    )


def _period(one: Subscription, now: datetime) -> Period | None:
    if not (one.is_running and one.billing_period):
        return None
    if one.is_trial and one.trial_end_date is not None:
        return Period(one.start_date, one.trial_end_date)
    return current_period(start=one.billing_anchor, billing_period=BillingPeriod(one.billing_period), now=now)


def _sold(one: Subscription) -> Iterator[Price]:
    held = [(one.plan, one.plan_version_number), *((row.addon, row.addon_version_number) for row in one.addons.all())]
    for package, version in held:
        for price in package.prices.all():
            if (price.version_number, price.billing_period) == (version, one.billing_period):
                yield price


def _price(price: Price, one: Subscription) -> PriceOut:
    payer = one.payer
    override = next((row for row in one.price_overrides.all() if row.price_id == price.pk), None)
    listed = localised(price.amounts.all(), currency=payer.billing_currency, country=payer.billing_country)
    amount, tiers = _paid(override, listed)
    currency = payer.billing_currency.lower()
    return PriceOut(
        addon_id=price.addon.ref_id if price.addon else None,
        feature_id=price.feature.ref_id if price.feature else None,
        base_charge=price.feature is None,
        billing_model=BillingModel(price.billing_model),
        billing_cadence=BillingCadence(price.billing_cadence),
        amount=amount,
        currency=currency or None,
        tiers=[_tier(tier, currency) for tier in tiers] or None,
        block_size=price.block_size,
        billing_country_code=country(listed.billing_country_code) if listed and override is None else None,
    )


def _paid(override: PriceOverride | None, listed: PriceAmount | None) -> tuple[Decimal | None, Sequence[TierRow]]:
    if override is not None:
        return override.amount, list(override.tiers.all())
    return (listed.amount, list(listed.tiers.all())) if listed else (None, ())


def _tier(tier: TierRow, currency: str) -> OverrideTierOut:
    return OverrideTierOut(
        up_to=tier.up_to,
        unit_price=None if tier.unit_price is None else MoneyOut.of(tier.unit_price, currency),
        flat_price=None if tier.flat_price is None else MoneyOut.of(tier.flat_price, currency),
    )


def _applied(one: Subscription) -> Iterable[Coupon]:
    if one.coupon is not None:
        return [one.coupon]
    held = getattr(one.customer, "customer_coupon", None)
    return [held.coupon] if held else []


def _coupon(coupon: Coupon) -> HeldCoupon:
    amounts = [MoneyOut.of(row.amount, row.currency) for row in coupon.amounts.all()]
    return HeldCoupon(
        id=coupon.ref_id, name=coupon.display_name, percent_off=coupon.percent_off, amounts_off=amounts or None
    )


def _future(change: ScheduledChange) -> FutureUpdate:
    successor = change.successor
    return FutureUpdate(
        scheduled_execution_time=change.effective_at,
        schedule_status=ScheduleStatus(change.status),
        subscription_schedule_type=ChangeType(change.change_type),
        target_package=Target(id=successor.plan.ref_id) if successor else None,
        content={"subscription": successor.ref_id} if successor else change.content,
    )
