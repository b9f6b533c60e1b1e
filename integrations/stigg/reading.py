"""What a row of Stigg's API says, as our own fields: pure.

Money comes as JSON numbers, which the SDK reads as floats; the shortest text that gives the same float is the number
that was written. What we cannot hold raises `Unreadable`, whose text says why to a person.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import TextChoices

from catalog.tiers import Tier
from integrations.stigg.account import Row
from subscriptions.models import CancelReason, PaymentCollection, PaymentCollectionMethod

#: What Stripe's ids look like: https://docs.stripe.com/api (prod_, price_, cus_, sub_, pm_ and their like).
_STRIPES = re.compile(r"[a-z]{2,6}_[A-Za-z0-9]{8,}")
#: Longer than any month and shorter than any year.
_LONGEST_MONTH_DAYS = 32


class Unreadable(Exception):  # noqa: N818 - an answer for a person
    """The row cannot be taken as it is; the text says why and what can be done."""


@dataclass(frozen=True)
class Amount:
    """What a charge costs in a currency and, where it is localised, a country: an amount, or tiers."""

    currency: str
    country: str
    amount: Decimal | None
    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class Charge:
    """A charge of a plan or an add-on with all its currencies; `fields` are those of our price."""

    feature: str
    fields: Mapping[str, Any]
    amounts: tuple[Amount, ...]
    billing_id: str

    @property
    def shape(self) -> tuple[Any, ...]:
        """What tells it from the other charges of its version."""
        return (*(self.fields[name] for name in ("billing_period", "billing_cadence", "billing_model")), self.feature)


@dataclass(frozen=True)
class Override:
    """What a subscription says it pays: for the plan or an add-on, its base fee or a feature's charge.

    `model` and `cadence` tell which charge that is, where there are several; empty where Stigg did not tell them.
    """

    addon: str
    feature: str
    amount: Amount
    model: str = ""
    cadence: str = ""


@dataclass(frozen=True)
class HeldAddon:
    """An add-on of a subscription, so many times; `version` is None where Stigg did not tell which was sold."""

    quantity: int
    version: int | None = None


@dataclass(frozen=True)
class SubscriptionRow:
    """A subscription, its parents by their Stigg ids; `version` and `quantities` are None where Stigg did not tell."""

    ref_id: str
    customer: str
    payer: str
    plan: str
    version: int | None
    billing_period: str
    fields: Mapping[str, Any]
    coupon: str
    addons: Mapping[str, HeldAddon] = field(default_factory=dict)
    quantities: Mapping[str, int] | None = None
    prices: tuple[Override, ...] = ()

    @property
    def is_ended(self) -> bool:
        return self.fields["status"] in {"CANCELED", "EXPIRED"}


def product(row: Row) -> dict[str, Any]:
    return {
        "display_name": row["displayName"],
        "description": row.get("description") or "",
        "status": row["status"],
        "multiple_subscriptions": bool(row.get("multipleSubscriptions")),
        "metadata": _metadata(row),
    }


def feature(row: Row) -> dict[str, Any]:
    return {
        "display_name": row["displayName"],
        "description": row.get("description") or "",
        "feature_type": row["featureType"],
        "meter_type": str(row.get("meterType") or "None").upper(),
        "status": row["featureStatus"],
        "units_singular": row.get("featureUnits") or "",
        "units_plural": row.get("featureUnitsPlural") or "",
        "metadata": _metadata(row),
    }


def meter(row: Row) -> dict[str, Any] | None:
    """Return the fields of a feature's meter over raw events, or None where it has none."""
    if not (found := row.get("meter")):
        return None
    aggregation = found["aggregation"]
    filters = [{"conditions": [_said(one) for one in each["conditions"]]} for each in found.get("filters") or ()]
    return {"aggregation": aggregation["function"], "field": aggregation.get("field") or "", "filters": filters}


def coupon(row: Row) -> tuple[dict[str, Any], dict[str, Decimal]]:
    """Return a coupon's fields, and what it takes off by currency."""
    percent = row.get("percentOff")
    fields = {
        "display_name": row["name"],
        "description": row.get("description") or "",
        "coupon_type": row["type"],
        "percent_off": None if percent is None or row["type"] == "FIXED" else decimal(percent),
        "duration_in_months": row.get("durationInMonths") or None,
        "status": row["status"],
        "billing_id": _zuoras(row.get("billingId")),
        "metadata": _metadata(row),
    }
    amounts = row.get("amountsOff") or () if row["type"] == "FIXED" else ()
    return fields, {one["currency"].upper(): decimal(one["amount"]) for one in amounts}


def package(row: Row) -> dict[str, Any]:
    """Return the fields of a plan or an add-on, without its product."""
    if not row.get("pricingType"):
        raise Unreadable("Stigg does not say whether it is free, paid or custom: set its pricing type there.")
    return {
        "display_name": row["displayName"],
        "description": row.get("description") or "",
        "pricing_type": row["pricingType"],
        "status": row["status"],
        "version_number": int(row.get("versionNumber") or 1),
        "billing_id": _zuoras(row.get("billingId")),
        "metadata": _metadata(row),
    }


def charges(rows: Iterable[Row]) -> tuple[Charge, ...]:
    """Return the charges of a version: Stigg has a row for each currency and country, we have one charge for all."""
    groups: dict[tuple[Any, ...], list[Charge]] = {}
    for row in rows:
        one = _charge(row)
        groups.setdefault(one.shape, []).append(one)
    return tuple(_joined(group) for group in groups.values())


def _charge(row: Row) -> Charge:
    return Charge(
        feature=row.get("featureId") or "",
        fields={
            "billing_model": row["billingModel"],
            "billing_cadence": row["billingCadence"],
            "billing_period": row["billingPeriod"],
            "tiers_mode": row.get("tiersMode") or "",
            "block_size": _whole(row.get("blockSize")),
            "min_unit_quantity": _whole(row.get("minUnitQuantity")),
            "max_unit_quantity": _whole(row.get("maxUnitQuantity")),
        },
        amounts=(_amount(row.get("price"), row),),
        billing_id=_zuoras(row.get("billingId")),
    )


def _joined(group: list[Charge]) -> Charge:
    first = group[0]
    if any(one.fields != first.fields for one in group):
        name = " ".join(str(part) for part in first.shape if part)
        raise Unreadable(f"Its charge {name} is not of the same kind in every currency: make it so in Stigg.")
    ids = [one.billing_id for one in group if one.billing_id]
    return Charge(
        feature=first.feature,
        fields=first.fields,
        amounts=tuple(sorted((one.amounts[0] for one in group), key=lambda one: (one.currency, one.country))),
        # One charge of Zuora's holds all currencies; several ids are charges that are not like ours.
        billing_id=ids[0] if len(set(ids)) == 1 else "",
    )


def _amount(price: Mapping[str, Any] | None, row: Row) -> Amount:
    tiers = tuple(_tier(one) for one in row.get("tiers") or ())
    priced = [price, *(one.get(name) for one in row.get("tiers") or () for name in ("unitPrice", "flatPrice"))]
    currencies = {one["currency"].upper() for one in priced if one and one.get("currency")}
    if len(currencies) != 1:
        raise Unreadable("One of its charges names no currency, or several: correct it in Stigg.")
    return Amount(
        currency=currencies.pop(),
        country=(row.get("billingCountryCode") or "").upper(),
        amount=None if tiers or not price else decimal(price["amount"]),
        tiers=tiers,
    )


def _tier(one: Mapping[str, Any]) -> Tier:
    unit, flat = one.get("unitPrice"), one.get("flatPrice")
    return Tier(
        up_to=_whole(one.get("upTo")),
        unit_price=decimal(unit["amount"]) if unit else None,
        flat_price=decimal(flat["amount"]) if flat else None,
    )


def customer(row: Row) -> tuple[dict[str, Any], str]:
    """Return a customer's fields, and the id of its coupon."""
    zuora = (row.get("passthrough") or {}).get("zuora") or {}
    stripe = (row.get("passthrough") or {}).get("stripe") or {}
    address = zuora.get("billingAddress") or stripe.get("billingAddress") or {}
    links = [one for one in row.get("integrations") or () if one.get("vendorIdentifier") == "ZUORA"]
    linked = next((one["syncedEntityId"] for one in links if one.get("syncedEntityId")), "")
    paid_by = (row.get("defaultPaymentMethod") or {}).get("billingId")
    fields = {
        "name": row.get("name") or "",
        "email": row.get("email") or "",
        "billing_currency": (row.get("billingCurrency") or zuora.get("currency") or "").upper(),
        "billing_line1": address.get("line1") or "",
        "billing_line2": address.get("line2") or "",
        "billing_city": address.get("city") or "",
        "billing_state": address.get("state") or "",
        "billing_postal_code": address.get("postalCode") or "",
        "billing_country": (address.get("country") or "").upper(),
        "payment_method_id": zuora.get("paymentMethodId") or _zuoras(paid_by),
        "billing_id": linked or _zuoras(row.get("billingId")),
        "archived_at": moment(row.get("archivedAt")),
        "billing_metadata": _said(zuora.get("metadata") or {}),
        "language": row.get("language") or "",
        "timezone": row.get("timezone") or "",
        "metadata": _metadata(row),
    }
    return fields, row.get("couponId") or ""


def subscription(row: Row) -> SubscriptionRow:
    """Return a subscription.

    The published models of Stigg's answers hold neither billing period nor quantities, so both are looked for where an
    answer may have them all the same; the period also shows in the length of the current one.
    """
    if row.get("minimumSpend"):
        raise Unreadable("It has a minimum spend, which has no counterpart in Zuora: bill that by hand.")
    cancelled = moment(row.get("cancellationDate"))
    changed = moment(row.get("effectiveFrom"))
    return SubscriptionRow(
        ref_id=row["id"],
        customer=row["customerId"],
        payer=row.get("payingCustomerId") or "",
        plan=row["planId"],
        version=_whole(row.get("planVersionNumber")),
        billing_period=row.get("billingPeriod") or _period(row),
        fields={
            "status": row["status"],
            "start_date": moment(row["startDate"]),
            "trial_end_date": moment(row.get("trialEndDate")),
            # By default ours would be billed from its end on.
            "trial_end_behavior": (row.get("trial") or {}).get("trialEndBehavior") or "CONVERT_TO_PAID",
            "cancellation_date": cancelled,
            "cancellation_time": "SPECIFIC_DATE" if cancelled else "",
            "cancel_reason": _one_of(CancelReason, row.get("cancelReason")),
            "effective_end_date": moment(row.get("effectiveEndDate")),
            **({"effective_from": changed} if changed else {}),
            "payment_collection": _one_of(PaymentCollection, row.get("paymentCollection")) or "NOT_REQUIRED",
            "payment_collection_method": _one_of(PaymentCollectionMethod, row.get("paymentCollectionMethod")),
            "resource_id": row.get("resourceId") or "",
            "billing_id": _zuoras(row.get("billingId")),
            "metadata": _metadata(row),
        },
        coupon=next((one["id"] for one in row.get("coupons") or () if one.get("status") == "ACTIVE"), ""),
        addons={
            one["id"]: HeldAddon(_counted(one["quantity"]), _whole(one.get("versionNumber")))
            for one in row.get("addons") or ()
        },
        quantities=_quantities(row),
        prices=tuple(_override(one) for one in row.get("prices") or () if one.get("currency") or one.get("tiers")),
    )


def _quantities(row: Row) -> dict[str, int] | None:
    for name, key in (("charges", "id"), ("billableFeatures", "featureId")):
        found = row.get(name)
        if isinstance(found, list):
            counted = [one for one in found if one.get("type", "FEATURE") == "FEATURE"]
            return {one[key]: _counted(one["quantity"]) for one in counted}
    return None


def _counted(value: Any) -> int:
    found = _whole(value)
    if found is None:
        raise Unreadable("One of its quantities is empty: set it in Stigg.")
    return found


def _override(one: Mapping[str, Any]) -> Override:
    price = {"amount": one["amount"], "currency": one["currency"]} if one.get("currency") else None
    if price and price["amount"] is None:
        price = None
    found = _amount(price, one) if price or one.get("tiers") else None
    if found is None:
        raise Unreadable("One of its prices has neither an amount nor tiers: correct it in Stigg.")
    return Override(
        addon=one.get("addonId") or "",
        feature=one.get("featureId") or "",
        amount=found,
        model=one.get("billingModel") or "",
        cadence=one.get("billingCadence") or "",
    )


def _period(row: Row) -> str:
    start, end = moment(row.get("currentBillingPeriodStart")), moment(row.get("currentBillingPeriodEnd"))
    if start is None or end is None or end <= start:
        return ""
    return "MONTHLY" if (end - start).days < _LONGEST_MONTH_DAYS else "ANNUALLY"


def _one_of(choices: type[TextChoices], value: Any) -> str:
    """Return the value if we know it: nothing is billed by these, so one that we do not know stops nothing."""
    return value if value in choices.values else ""


def _zuoras(billing_id: str | None) -> str:
    """Return a billing ID unless it is plainly another billing system's: it would link nothing in Zuora, and fail."""
    return "" if not billing_id or _STRIPES.fullmatch(billing_id) else billing_id


def _metadata(row: Row) -> dict[str, str]:
    return _said(row.get("metadata") or {})


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def decimal(value: Any) -> Decimal:
    """Return a JSON number as it was written."""
    try:
        found = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        raise Unreadable(f"{value!r} is no number.") from None
    if not found.is_finite():
        raise Unreadable(f"{value!r} is no number.")
    return found


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    found = decimal(value)
    if found != found.to_integral_value() or found < 0:
        raise Unreadable(f"{value} should be a whole number: correct it in Stigg.")
    return int(found)


def moment(text: str | None) -> datetime | None:
    """Return a time of Stigg's in UTC; one without an offset is meant so."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{text!r} is no time.") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
