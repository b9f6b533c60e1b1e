"""What Stigg's API says of the catalog and of customers, as our own fields: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalog.tiers import Tier
from integrations.stigg.account import Row
from integrations.stigg.values import Unreadable, decimal, metadata, moment, said, whole, zuoras


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


def product(row: Row) -> dict[str, Any]:
    return {
        "display_name": row["displayName"],
        "description": row.get("description") or "",
        "status": row["status"],
        "multiple_subscriptions": bool(row.get("multipleSubscriptions")),
        "cancellation_time": (row.get("productSettings") or {}).get("subscriptionCancellationTime") or "IMMEDIATE",
        "metadata": metadata(row),
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
        "metadata": metadata(row),
    }


def meter(row: Row) -> dict[str, Any] | None:
    """Return the fields of a feature's meter over raw events, or None where it has none."""
    if not (found := row.get("meter")):
        return None
    aggregation = found["aggregation"]
    filters = [{"conditions": [said(one) for one in each["conditions"]]} for each in found.get("filters") or ()]
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
        "billing_id": zuoras(row.get("billingId")),
        "metadata": metadata(row),
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
        "billing_id": zuoras(row.get("billingId")),
        "metadata": metadata(row),
    }


def default_trial(row: Row) -> dict[str, Any]:
    """Return what a plan says of its default trial."""
    trial = row.get("defaultTrialConfig") or {}
    return {
        "trial_duration": whole(trial.get("duration")),
        "trial_units": trial.get("units") or "DAY",
        "trial_end_behavior": trial.get("trialEndBehavior") or "CONVERT_TO_PAID",
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
            "block_size": whole(row.get("blockSize")),
            "min_unit_quantity": whole(row.get("minUnitQuantity")),
            "max_unit_quantity": whole(row.get("maxUnitQuantity")),
        },
        amounts=(amount_of(row.get("price"), row),),
        billing_id=zuoras(row.get("billingId")),
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


def amount_of(price: Mapping[str, Any] | None, row: Row) -> Amount:
    """Return what a charge costs: `price` in the row's only currency, or by its tiers."""
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
        up_to=whole(one.get("upTo")),
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
        "payment_method_id": zuora.get("paymentMethodId") or zuoras(paid_by),
        "billing_id": linked or zuoras(row.get("billingId")),
        "archived_at": moment(row.get("archivedAt")),
        "billing_metadata": said(zuora.get("metadata") or {}),
        "language": row.get("language") or "",
        "timezone": row.get("timezone") or "",
        "metadata": metadata(row),
    }
    return fields, row.get("couponId") or ""
