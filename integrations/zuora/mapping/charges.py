"""A price of Stigg's as a Product Rate Plan Charge of Zuora's.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProductRatePlanCharge/
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from catalog.models import BillingCadence, BillingModel, BillingPeriod, Plan, Price, TiersMode
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.amounts import Step, steps
from integrations.zuora.mapping.nodes import Body, ChargeNode, TierNode, UnitNode
from integrations.zuora.mapping.refusal import Refusals
from integrations.zuora.mapping.unit import unit_of

NAME_LIMIT = 100
#: The tenant's default currency and at most four others.
CURRENCY_LIMIT = 5

BILLING_PERIODS = {BillingPeriod.MONTHLY.value: "Month", BillingPeriod.ANNUALLY.value: "Annual"}

_UNSUPPORTED = {BillingModel.CREDIT_BASED.value, BillingModel.MINIMUM_SPEND.value}
#: Billed to the day and the money that the account says; `ContractEffective`: from the day the subscription begins.
BILLING: Body = {"BillCycleType": "DefaultFromCustomer", "TriggerEvent": "ContractEffective"}


def describe(price: Price) -> str:
    """Return the words by which sentences name a charge: `The monthly charge for seats of plan basic`."""
    period = "annual" if price.billing_period == BillingPeriod.ANNUALLY else "monthly"
    if price.billing_cadence == BillingCadence.ONE_OFF:
        period = f"one-off {period}"
    what = f"charge for {price.feature.ref_id}" if price.feature else price.get_billing_model_display().lower()
    if price.billing_model == BillingModel.CREDIT_BASED:
        what = "credit charge"
    package = price.package
    return f"The {period} {what} of {'plan' if isinstance(package, Plan) else 'add-on'} {package.ref_id}"


def charge_type(price: Price) -> str:
    """Return Zuora's ChargeType."""
    if price.billing_cadence == BillingCadence.ONE_OFF:
        return "OneTime"
    return "Usage" if price.billing_model == BillingModel.USAGE_BASED else "Recurring"


def charge_model(price: Price) -> str:
    """Return the charge model's word: `Flat Fee`, `Per Unit`, `Tiered` or `Volume`.

    Stigg's stair-step is volume with a flat price per tier.
    """
    if price.billing_model == BillingModel.FLAT_FEE:
        return "Flat Fee"
    return {"": "Per Unit", TiersMode.GRADUATED.value: "Tiered", TiersMode.VOLUME.value: "Volume"}[price.tiers_mode]


def is_supported(price: Price, refusals: Refusals) -> bool:
    """Tell whether Zuora can hold this kind of charge, and note why not."""
    if price.billing_model in _UNSUPPORTED:
        refusals.add(
            f"{describe(price)} has no counterpart in Zuora: bill it by a flat fee, by a price per unit or by usage."
        )
        return False
    if (price.block_size or 1) > 1:
        refusals.add(
            f"{describe(price)} is sold in packages of {price.block_size}, and Zuora counts single units: price one "
            "unit, or use tiers."
        )
        return False
    return True


def charge_nodes(
    prices: Sequence[Price], *, package_key: str, prefix: str, generation: int, refusals: Refusals
) -> tuple[ChargeNode, ...]:
    """Return the charges of one rate plan; what Zuora cannot hold is noted and left out."""
    supported = [price for price in prices if is_supported(price, refusals)]
    names = _names(supported, refusals)
    return tuple(
        _charge_node(
            price,
            name=name,
            key=keys.charge_key(package_key, price),
            number=keys.charge_number(package_key, price, prefix=prefix, generation=generation),
            refusals=refusals,
        )
        for price, name in zip(supported, names, strict=True)
    )


def currencies_of(charges: Sequence[ChargeNode]) -> list[str]:
    """Return the currencies of the charges, sorted."""
    return sorted({tier.currency for charge in charges for tier in charge.tiers})


def charge_body(
    *, name: str, number: str, model: str, kind: str, period: str, rows: Sequence[Body], details: Body
) -> Body:
    """Return the create body of a charge without its rate plan's id; `period` is empty for a one-time charge."""
    return {
        "Name": name,
        "ProductRatePlanChargeNumber": number,
        "ChargeModel": model,
        "ChargeType": kind,
        **BILLING,
        # Required by the schema, and refused on a one-time charge.
        **({"BillingPeriod": period} if period else {}),
        **details,
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": list(rows)},
    }


def _charge_node(price: Price, *, name: str, key: str, number: str, refusals: Refusals) -> ChargeNode:
    kind, model = charge_type(price), charge_model(price)
    period = "" if kind == "OneTime" else BILLING_PERIODS[price.billing_period]
    unit = unit_of(price.feature, refusals) if price.feature else None
    table = _price_table(price, refusals)
    rows = [_row(currency, step) for currency, ladder in table.items() for step in ladder]
    quantity = _default_quantity(price, kind)
    body = charge_body(
        name=name,
        number=number,
        model=f"{model} Pricing",
        kind=kind,
        period=period,
        rows=rows,
        details=_details(kind, unit) | quantity,
    )
    shape = {
        "model": model,
        "type": kind,
        "period": period,
        "unit": unit.name if unit else "",
        "rows": [[currency, *_bounds(step)] for currency, ladder in table.items() for step in ladder],
    }
    tiers = tuple(
        TierNode(currency, None if step.start is None else Decimal(step.start), "Price", step.price)
        for currency, ladder in table.items()
        for step in ladder
    )
    return ChargeNode(
        key=key, number=number, body=body, shape=shape, tiers=tiers, unit=unit, billing_id=price.billing_id
    )


def _details(kind: str, unit: UnitNode | None) -> Body:
    details: Body = {"UOM": unit.name} if unit else {}
    if kind == "Recurring":
        # Otherwise the tenant's own default decides whether an annual price is asked for every month.
        details["ListPriceBase"] = "Per Billing Period"
    return details


def _default_quantity(price: Price, kind: str) -> Body:
    if kind == "Usage" or price.billing_model == BillingModel.FLAT_FEE:
        return {}
    return {"DefaultQuantity": default_quantity(price)}


def default_quantity(price: Price) -> Decimal:
    """Return how many units are sold when nobody says so: the fewest that can be bought, else one."""
    return Decimal(price.min_unit_quantity if price.min_unit_quantity is not None else 1)


def _price_table(price: Price, refusals: Refusals) -> dict[str, tuple[Step, ...]]:
    """Return the steps of each currency; Zuora has one price table for all countries."""
    table: dict[str, tuple[Step, ...]] = {}
    for amount in sorted(price.amounts.all(), key=lambda amount: (amount.currency, amount.billing_country_code)):
        what = f"{describe(price)} in {amount.currency}"
        ladder = steps(price, amount=amount.amount, tiers=amount.tiers.all(), what=what, refusals=refusals)
        if table.setdefault(amount.currency, ladder) != ladder:
            refusals.add(
                f"{what} costs different amounts in different countries, and Zuora holds one price per currency: give "
                "it one amount in that currency."
            )
    if not table:
        refusals.add(f"{describe(price)} has no amount in any currency: add one.")
    if len({tuple(_bounds(step) for step in ladder) for ladder in table.values() if ladder}) > 1:
        # Whether Zuora takes other bounds per currency is said nowhere; Stigg's own pages keep them equal.
        refusals.add(
            f"{describe(price)} has tiers that end at different units in different currencies: end them at the same "
            "units."
        )
    return table


def _bounds(step: Step) -> tuple[int | None, int | None, bool]:
    return step.start, step.end, step.per_unit


def _row(currency: str, step: Step) -> Body:
    row: Body = {"Currency": currency, "Price": step.price}
    if step.start is not None:
        row["StartingUnit"] = Decimal(step.start)
        row["PriceFormat"] = "Per Unit" if step.per_unit else "Flat Fee"
    if step.end is not None:
        row["EndingUnit"] = Decimal(step.end)
    return row


def _names(prices: Sequence[Price], refusals: Refusals) -> list[str]:
    """Return names that a reader of an invoice understands, each once in its rate plan."""
    plain = [_name(price) for price in prices]
    often = Counter(name.casefold() for name in plain)
    names = [
        f"{name} [{price.feature.ref_id}]" if often[name.casefold()] > 1 and price.feature else name
        for price, name in zip(prices, plain, strict=True)
    ]
    for price, name in zip(prices, names, strict=True):
        refusals.text(name, what=f"{describe(price)} is called after its feature, whose display name", limit=NAME_LIMIT)
    return names


def _name(price: Price) -> str:
    name = price.feature.display_name if price.feature else "Flat fee"
    if price.billing_cadence == BillingCadence.ONE_OFF:
        return f"{name} (one-off)"
    return f"{name} (usage)" if price.billing_model == BillingModel.USAGE_BASED else name
