"""What all of `/v1/object/...` share: rules, results and the wording of a taken key.

Source: https://developer.zuora.com/v1-api-reference/api/ (CRUD operations, `rejectUnknownFields`).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import Kind, Refusal
from integrations.zuora.standin.fields import Rules
from integrations.zuora.standin.store import DuplicateKey, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

WORDS = {
    ("Product", "SKU"): "SKU",
    ("ProductRatePlan", "Name"): "rate plan name within the product",
    ("Subscription", "Latest"): "subscription number",
    ("Order", "OrderNumber"): "order number",
    ("Account", "AccountNumber"): "account number",
    ("UnitOfMeasure", "UomName"): "unit of measure name",
}


def crud_rules(tenant: Tenant, request: Request, table: str) -> Rules:
    strict = request.flag("rejectUnknownFields")
    refuse_custom = strict or tenant.switches.unknown_custom_fields == "refuse"
    return Rules(
        unknown="refuse" if strict else "ignore",
        custom_fields=frozenset(tenant.switches.custom_fields.get(table, ())),
        unknown_custom="refuse" if refuse_custom else "ignore",
        wsdl=request.wsdl,
        numbers_as_text=True,
    )


def v1_rules(tenant: Tenant, table: str) -> Rules:
    """v1 operations answer an unknown member with category 21, unless the tenant is set to ignore it."""
    return Rules(
        unknown=tenant.switches.unknown_v1_fields,
        custom_fields=frozenset(tenant.switches.custom_fields.get(table, ())),
        unknown_custom=tenant.switches.unknown_v1_fields,
    )


def saved(row: Row) -> dict[str, Any]:
    return {"Success": True, "Id": row["Id"]}


@contextmanager
def unique_keys() -> Iterator[None]:
    """Turn a taken key into a refusal with category and code of a duplicate.

    Raises:
        Refusal: DUPLICATE_VALUE.
    """
    try:
        yield
    except DuplicateKey as taken:
        what = WORDS.get((taken.table, taken.key), taken.key)
        value = taken.value[-1] if isinstance(taken.value, tuple) else taken.value
        raise Refusal(Kind.DUPLICATE, f"The {what} '{value}' is already in use; it must be unique.") from taken
