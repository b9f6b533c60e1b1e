"""Bodies that we send and rows that Zuora shows, brought to one form: `{field: text}`, so that they can be compared.

Zuora shows a field in another letter case, at another depth and in another notation than it takes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from integrations.zuora.client import field

Fields = dict[str, str]
_TIERS = "ProductRatePlanChargeTierData"
#: What ties an object to its parent or names its kind of call, and says nothing to a person.
_TIES = {"ProductId", "ProductRatePlanId", "shape", "expired"}
#: Where an account shows what its body holds at the top.
_SECTIONS = ("basicInfo", "billingAndPayment", "metrics")
#: Taken and never shown, or shown under another name.
_ELSEWHERE = {
    "hpmCreditCardPaymentMethodId": "defaultPaymentMethodId",
    "Unit": "UOM",
}


@dataclass(frozen=True)
class FieldChange:
    """One field: what Zuora has (None where it does not show it), what we last sent, and what it would become."""

    name: str
    now: str | None
    sent: str | None
    becomes: str | None
    drifted: bool


def text(value: Any) -> str:
    """Return a value as it is compared and shown: 30, "30.00" and Decimal("30.0") are one number."""
    match value:
        case bool():
            return "yes" if value else "no"
        case str() | int() | float() | Decimal():
            return _number(str(value)) or str(value)
        case Mapping():
            return ", ".join(f"{name}: {text(inner)}" for name, inner in sorted(value.items()))
        case Sequence():
            return ", ".join(sorted(text(inner) for inner in value))
    return "" if value is None else str(value)


def _number(written: str) -> str:
    # An id with zeros in front is no number.
    if not written or (written.lstrip("-")[:2].startswith("0") and written.lstrip("-")[:2] not in {"0", "0."}):
        return ""
    try:
        number = Decimal(written)
    except InvalidOperation:
        return ""
    return format(number.normalize(), "f") if number.is_finite() else ""


def fields_of_body(body: Mapping[str, Any]) -> Fields:
    """Return the fields of what is sent, or was sent, for a product, rate plan, charge, unit or account."""
    found: Fields = {}
    for name, value in body.items():
        if name in _TIES:
            continue
        if name == _TIERS:
            found |= _tiers(value.get("ProductRatePlanChargeTier") or ())
        elif isinstance(value, Mapping):
            found |= {f"{name}.{inner}": text(value[inner]) for inner in value}
        else:
            found[name] = text(value)
    return found


def fields_of_row(row: Mapping[str, Any], names: Sequence[str], *, tiers: Sequence[Mapping[str, Any]] = ()) -> Fields:
    """Return what a row of Zuora's shows of these fields; one that it does not show is left out."""
    prices = _tiers(tiers)
    found: Fields = {}
    for name in names:
        if name.startswith("Price "):
            found[name] = prices.get(name, "")
        elif (place := _place(row, name)) is not None:
            found[name] = text(field(place, _last(name)))
    return found


def _place(row: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return the part of a row that shows the field, or None."""
    outer, dot, _ = name.partition(".")
    if dot:
        inner = field(row, outer)
        return inner if isinstance(inner, Mapping) else None
    parts = [row, *(row[part] for part in _SECTIONS if isinstance(row.get(part), Mapping))]
    wanted = _last(name).lower()
    return next((part for part in parts if wanted in {key.lower() for key in part}), None)


def _last(name: str) -> str:
    last = name.rpartition(".")[2]
    return _ELSEWHERE.get(last, last)


def _tiers(rows: Sequence[Mapping[str, Any]]) -> Fields:
    found: Fields = {}
    for row in rows:
        value = next(
            (v for n in ("Price", "DiscountAmount", "DiscountPercentage") if (v := field(row, n)) is not None), ""
        )
        start = text(field(row, "StartingUnit"))
        name = f"Price {field(row, 'Currency')}" + (f" from {start}" if start not in {"", "0"} else "")
        found[name] = text(value)
    return found


def fields_of_contract(contract: Mapping[str, Any]) -> Fields:
    """Return the fields of a subscription's contract, as it was sent or is wanted."""
    found: Fields = {}
    for name, value in (contract.get("terms") or {}).items():
        found[f"terms.{name}"] = text(value)
    for name, value in (contract.get("customFields") or {}).items():
        found[name] = text(value)
    for plan in contract.get("ratePlans") or ():
        found[f"rate plan {plan['key']}"] = "there"
        for charge in plan["charges"]:
            found |= {
                f"{charge['key']}: {name}": text(charge[name]) for name in ("quantity", "price") if name in charge
            }
    cancelled = contract.get("cancellation")
    found["cancelled"] = text(cancelled.get("date") or cancelled.get("policy")) if cancelled else ""
    return found


def fields_of_subscription(row: Mapping[str, Any], contracts: Sequence[Mapping[str, Any]]) -> Fields:
    """Return what Zuora shows of a subscription, by the names that these contracts use."""
    plans = {str(plan.get("productRatePlanId")): plan for plan in row.get("ratePlans") or ()}
    found: Fields = {"cancelled": text(row.get("cancelledDate")) if row.get("status") == "Cancelled" else ""}
    for contract in contracts:
        for name in contract.get("customFields") or {}:
            found[name] = text(row.get(name))
        for plan in contract.get("ratePlans") or ():
            there = plans.get(plan["id"])
            found[f"rate plan {plan['key']}"] = "there" if there and there.get("lastChangeType") != "Remove" else ""
            shown = {str(one.get("productRatePlanChargeId")): one for one in (there or {}).get("ratePlanCharges") or ()}
            for charge in plan["charges"]:
                for name in ("quantity", "price"):
                    if name in charge and charge["id"] in shown:
                        found[f"{charge['key']}: {name}"] = text(shown[charge["id"]].get(name))
    return found


def changes_of(wanted: Fields, last: Fields, now: Fields, *, new: bool) -> tuple[FieldChange, ...]:
    """Return the fields that would change, and those that somebody changed in Zuora."""
    found = []
    for name in dict.fromkeys([*wanted, *last]):
        have, sent, becomes = now.get(name), last.get(name), wanted.get(name)
        drifted = have is not None and sent is not None and have != sent and not _is_free(name, sent)
        changes = becomes is not None and becomes != (sent if have is None else have) and not _is_free(name, becomes)
        if drifted or changes or (new and becomes):
            found.append(FieldChange(name, have, sent, becomes, drifted))
    return tuple(found)


def _is_free(name: str, sent: str) -> bool:
    """Whether Zuora adds to it or finds it: the tenant's own currency; the day of the first subscription for a 0."""
    return name == "ActiveCurrencies" or (name == "billCycleDay" and sent == "0")
