"""Stigg's entities in memory, with their relations at hand: the mapping asks no database."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from django.db import models

from catalog.models import Addon, Coupon, CouponAmount, Feature, Plan, Price, PriceAmount, PriceTier, Product
from customers.models import Customer
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.contract import PlacedCharge, PlacedRatePlan
from integrations.zuora.mapping.tenant import CUSTOMER_ID, ENTITY_URL, RESOURCE_ID, Tenant
from subscriptions.models import (
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)

TODAY = date(2026, 3, 15)
TENANT = Tenant(key_prefix="stigg", public_url="https://console.example")
FIELDS = Tenant(
    key_prefix="stigg",
    public_url="https://console.example",
    custom_fields={
        "Product": frozenset({ENTITY_URL}),
        "Account": frozenset({ENTITY_URL, CUSTOMER_ID}),
        "Subscription": frozenset({ENTITY_URL, CUSTOMER_ID, RESOURCE_ID}),
    },
)

#: (up to, price per unit, flat price)
Steps = Sequence[tuple[int | None, str | None, str | None]]
_numbers = count(1)
Row = TypeVar("Row", bound=models.Model)


def _with(row: Row, **related: Iterable[models.Model]) -> Row:
    cache = {name: list(rows) for name, rows in related.items()}
    row._prefetched_objects_cache = cache  # type: ignore[attr-defined]
    return row


def feature(ref_id: str = "seats", **values: Any) -> Feature:
    return Feature(pk=next(_numbers), **{"ref_id": ref_id, "display_name": "Seats", "units_plural": "seats"} | values)


def plan(ref_id: str = "basic", **values: Any) -> Plan:
    return Plan(
        pk=next(_numbers),
        **{
            "ref_id": ref_id,
            "display_name": "Basic",
            "product": _PRODUCT,
            "pricing_type": "PAID",
            "status": "PUBLISHED",
        }
        | values,
    )


def addon(ref_id: str = "support", **values: Any) -> Addon:
    return Addon(
        pk=next(_numbers),
        **{
            "ref_id": ref_id,
            "display_name": "Support",
            "product": _PRODUCT,
            "pricing_type": "PAID",
            "status": "PUBLISHED",
        }
        | values,
    )


def price(package: Plan | Addon, amounts: Mapping[str, str | Steps | None], **values: Any) -> Price:
    """Build a flat monthly fee, or what `values` say; `amounts` by currency, or `EUR/DE` for a country's."""
    owner = {"plan": package} if isinstance(package, Plan) else {"addon": package}
    row = Price(
        pk=next(_numbers),
        **{"billing_model": "FLAT_FEE", "billing_period": "MONTHLY", "version_number": package.version_number}
        | owner
        | values,
    )
    return _with(row, amounts=[_amount(row, where, given) for where, given in amounts.items()])


def _amount(owner: Price, where: str, given: str | Steps | None) -> PriceAmount:
    currency, _, country = where.partition("/")
    plain = Decimal(given) if isinstance(given, str) else None
    row = PriceAmount(pk=next(_numbers), price=owner, currency=currency, billing_country_code=country, amount=plain)
    return _with(row, tiers=[] if isinstance(given, str) else [_tier(PriceTier, step) for step in given or ()])


def _tier(kind: type[Row], step: tuple[int | None, str | None, str | None]) -> Row:
    up_to, unit, flat = step
    return kind(
        pk=next(_numbers),
        up_to=up_to,
        unit_price=None if unit is None else Decimal(unit),
        flat_price=None if flat is None else Decimal(flat),
    )


def coupon(ref_id: str = "launch", amounts: Mapping[str, str] | None = None, **values: Any) -> Coupon:
    kind = {"coupon_type": "FIXED"} if amounts else {"coupon_type": "PERCENTAGE", "percent_off": Decimal("15.00")}
    row = Coupon(pk=next(_numbers), **{"ref_id": ref_id, "display_name": "Launch"} | kind | values)
    rows = [
        CouponAmount(pk=next(_numbers), coupon=row, currency=currency, amount=Decimal(amount))
        for currency, amount in (amounts or {}).items()
    ]
    return _with(row, amounts=rows)


def customer(ref_id: str = "acme", **values: Any) -> Customer:
    return Customer(
        pk=next(_numbers),
        **{"ref_id": ref_id, "name": "Acme Widgets", "billing_currency": "EUR", "billing_country": "DE"} | values,
    )


def subscription(
    *,
    addons: Iterable[tuple[Addon, int]] = (),
    quantities: Mapping[str, int] | None = None,
    overrides: Iterable[tuple[Price, str | Steps]] = (),
    **values: Any,
) -> Subscription:
    owner = values.pop("customer", None) or customer()
    row = Subscription(
        pk=next(_numbers),
        **{
            "ref_id": "sub-1",
            "customer": owner,
            "plan": plan(),
            "plan_version_number": 1,
            "billing_period": "MONTHLY",
            "start_date": datetime(2026, 3, 1, 12, tzinfo=UTC),
        }
        | values,
    )
    return _with(
        row,
        addons=[
            SubscriptionAddon(
                pk=next(_numbers),
                subscription=row,
                addon=item,
                addon_version_number=item.version_number,
                quantity=times,
            )
            for item, times in addons
        ],
        quantities=[
            SubscriptionQuantity(pk=next(_numbers), subscription=row, feature=feature(ref_id), quantity=units)
            for ref_id, units in (quantities or {}).items()
        ],
        price_overrides=[_override(row, of, given) for of, given in overrides],
    )


def _override(owner: Subscription, of: Price, given: str | Steps) -> PriceOverride:
    plain = Decimal(given) if isinstance(given, str) else None
    row = PriceOverride(pk=next(_numbers), subscription=owner, price=of, amount=plain)
    return _with(row, tiers=[] if isinstance(given, str) else [_tier(PriceOverrideTier, step) for step in given])


def placed(parent_key: str, *charge_keys: str, period: str = "MONTHLY", generation: int = 1) -> PlacedRatePlan:
    """Build a rate plan that Zuora holds: its id is `<key>#<generation>`, its charges' ids theirs."""
    key = keys.rate_plan_key(parent_key, period)
    return PlacedRatePlan(
        key=key,
        id=f"{key}#{generation}",
        number=f"number of {key}#{generation}",
        charges={
            f"{key}/{charge}": PlacedCharge(f"{key}/{charge}#{generation}", f"number of {key}/{charge}#{generation}")
            for charge in charge_keys
        },
    )


_PRODUCT = Product(pk=next(_numbers), ref_id="suite", display_name="Suite")
