"""What a plan or an add-on costs, as Stigg's REST writes it: pricing models, each with its price periods.

A price period is an amount (or tiers) in one currency, everywhere or in one country, for one billing period; those of
the same billing period are one charge. Read back, each of them is a row of its own.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from pydantic import Field

from catalog.models import (
    Addon,
    BillingCadence,
    BillingModel,
    BillingPeriod,
    Feature,
    Plan,
    Price,
    PriceAmount,
    PricingType,
    TiersMode,
)
from catalog.pricing import Amount, Charge
from catalog.tiers import Tier
from integrations.api.errors import bad_input, not_built
from integrations.api.finding import find
from integrations.api.money import Country, MoneyIn, MoneyOut, country
from integrations.api.schema import Count, CountOrZero, Input, Output, Paging, QueryCount, Text
from integrations.models import Connection, SyncRecord
from integrations.zuora.mapping.keys import charge_key, package_key

_CREDITS = "credits are not kept here: Zuora is billed by charges and usage."
_RESETS = "usage is billed by the billing period, and counts from its start: leave it out."
_OVERAGE = "overage charges are not kept here: a charge by usage bills what was used."


class TierIn(Input):
    """A step of a price, up to and including a unit; the last one has no end."""

    up_to: Count | None = None
    unit_price: MoneyIn | None = None
    flat_price: MoneyIn | None = None


class PricePeriodIn(Input):
    """What it costs in a billing period, in one currency, and in one country where it is localised."""

    NOT_BUILT = {"creditRate": _CREDITS, "creditGrantCadence": _CREDITS}

    billing_period: BillingPeriod
    price: MoneyIn | None = None
    tiers: list[TierIn] | None = Field(None, max_length=1000)
    block_size: Count | None = Field(None, description="Units per block.")
    billing_country_code: Country | None = None


class PricingModelIn(Input):
    """A charge, in all its billing periods and currencies."""

    NOT_BUILT = {
        "topUpCustomCurrencyId": _CREDITS,
        "resetPeriod": _RESETS,
        "monthlyResetPeriodConfiguration": _RESETS,
        "weeklyResetPeriodConfiguration": _RESETS,
        "yearlyResetPeriodConfiguration": _RESETS,
    }

    billing_model: BillingModel
    price_periods: list[PricePeriodIn] = Field(min_length=1, max_length=1000)
    billing_cadence: BillingCadence = BillingCadence.RECURRING
    feature_id: Text | None = None
    tiers_mode: TiersMode | None = None
    min_unit_quantity: CountOrZero | None = None
    max_unit_quantity: Count | None = None


class MinimumSpendIn(Input):
    """What is paid at least in a billing period, in one currency."""

    billing_period: BillingPeriod
    minimum: MoneyIn


class ChargesIn(Input):
    """All charges of a draft: they take the place of those that it has."""

    NOT_BUILT = {
        "overageBillingPeriod": _OVERAGE,
        "overagePricingModels": _OVERAGE,
        "billingId": "send it beside charges, as the billingId of the plan or add-on.",
    }

    pricing_type: PricingType
    pricing_models: list[PricingModelIn] = Field(default_factory=list, max_length=200)
    minimum_spend: list[MinimumSpendIn] | None = Field(
        None, max_length=400, description="Kept and told; Zuora has no such charge, so what has one fails to be synced."
    )


class TierOut(Output):
    """A step of a price, up to and including a unit; the last one has no end."""

    up_to: int | None
    unit_price: MoneyOut | None
    flat_price: MoneyOut | None


class ChargeOut(Output):
    """What one charge costs in one currency, and in one country where it is localised."""

    id: str
    billing_model: BillingModel
    billing_cadence: BillingCadence
    billing_period: BillingPeriod
    billing_country_code: str | None
    feature_id: str | None
    price: MoneyOut | None
    tiers_mode: TiersMode | None
    tiers: list[TierOut] | None
    block_size: int | None
    min_unit_quantity: int | None
    max_unit_quantity: int | None
    billing_id: str | None
    created_at: datetime


class ChargeQuery(Paging):
    """Which version's charges; left out, those on sale (of what never was on sale: the draft's)."""

    version_number: QueryCount | None = Field(None, description="Not Stigg's: 1, 2, ... up to the draft's.")


def wished(body: ChargesIn) -> list[Charge]:
    """Return the charges that were sent.

    Raises:
        ApiError: a feature is not known, or something is not built.
    """
    charges = [charge for model in body.pricing_models for charge in _of_model(model)]
    return [*charges, *_least(body.minimum_spend or ())]


def _least(rows: Iterable[MinimumSpendIn]) -> Iterable[Charge]:
    periods: dict[BillingPeriod, list[Amount]] = {}
    for row in rows:
        amount = Amount(currency=row.minimum.currency, amount=row.minimum.amount)
        periods.setdefault(row.billing_period, []).append(amount)
    for billing_period, amounts in periods.items():
        yield Charge(billing_model=BillingModel.MINIMUM_SPEND, billing_period=billing_period, amounts=amounts)


def _of_model(model: PricingModelIn) -> Iterable[Charge]:
    if model.billing_model == BillingModel.CREDIT_BASED:
        raise not_built(f"billingModel CREDIT_BASED: {_CREDITS}")
    feature = None if model.feature_id is None else find(Feature.objects.all(), model.feature_id)
    periods: dict[BillingPeriod, list[PricePeriodIn]] = {}
    for period in model.price_periods:
        periods.setdefault(period.billing_period, []).append(period)
    for billing_period, amounts in periods.items():
        sizes = {one.block_size for one in amounts}
        if len(sizes) > 1:
            raise bad_input(f"The {billing_period} prices of a charge have blocks of one size: give all the same.")
        yield Charge(
            billing_model=model.billing_model,
            billing_cadence=model.billing_cadence,
            billing_period=billing_period,
            feature=feature,
            tiers_mode=model.tiers_mode,
            block_size=sizes.pop(),
            min_unit_quantity=model.min_unit_quantity,
            max_unit_quantity=model.max_unit_quantity,
            amounts=[_amount(one) for one in amounts],
        )


def _amount(period: PricePeriodIn) -> Amount:
    tiers = period.tiers or []
    prices = [period.price, *(price for tier in tiers for price in (tier.unit_price, tier.flat_price))]
    currencies = {price.currency for price in prices if price is not None}
    if len(currencies) != 1:
        problem = "no price" if not currencies else f"prices in {', '.join(sorted(currencies))}"
        raise bad_input(f"A price period has one currency, this one has {problem}: send a price, or priced tiers.")
    return Amount(
        currency=currencies.pop(),
        country=period.billing_country_code or "",
        amount=period.price.amount if period.price else None,
        tiers=[
            Tier(up_to=tier.up_to, unit_price=_of(tier.unit_price), flat_price=_of(tier.flat_price)) for tier in tiers
        ],
    )


def _of(money: MoneyIn | None) -> Decimal | None:
    return None if money is None else money.amount


def charges_out(package: Plan | Addon, amounts: Sequence[PriceAmount]) -> list[ChargeOut]:
    """Write amounts of a package's prices, each as a charge of its own."""
    keys = {amount.pk: charge_key(package_key(package), amount.price) for amount in amounts}
    held = SyncRecord.objects.filter(connection__in=Connection.objects.active(), key__in=set(keys.values()))
    zuora_ids = dict(held.values_list("key", "zuora_id"))
    return [_charge(amount, amount.price.billing_id or zuora_ids.get(keys[amount.pk], "")) for amount in amounts]


def _charge(amount: PriceAmount, billing_id: str) -> ChargeOut:
    price: Price = amount.price
    tiers = [
        TierOut(
            up_to=tier.up_to,
            unit_price=None if tier.unit_price is None else MoneyOut.of(tier.unit_price, amount.currency),
            flat_price=None if tier.flat_price is None else MoneyOut.of(tier.flat_price, amount.currency),
        )
        for tier in amount.tiers.all()
    ]
    return ChargeOut(
        id=str(amount.pk),
        billing_model=BillingModel(price.billing_model),
        billing_cadence=BillingCadence(price.billing_cadence),
        billing_period=BillingPeriod(price.billing_period),
        billing_country_code=country(amount.billing_country_code),
        feature_id=price.feature.ref_id if price.feature else None,
        price=None if amount.amount is None else MoneyOut.of(amount.amount, amount.currency),
        tiers_mode=TiersMode(price.tiers_mode) if price.tiers_mode else None,
        tiers=tiers or None,
        block_size=price.block_size,
        min_unit_quantity=price.min_unit_quantity,
        max_unit_quantity=price.max_unit_quantity,
        billing_id=billing_id or None,
        created_at=price.created_at,
    )
