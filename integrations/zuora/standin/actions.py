"""Actions: up to fifty objects of one type at once, each with its own result; and ZOQL.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTcreate/ and .../Action_POSTquery/
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin import catalog, charges, units, usage
from integrations.zuora.standin.crud import crud_rules, saved
from integrations.zuora.standin.errors import Kind, Refusal, crud_errors, missing
from integrations.zuora.standin.fields import Rules, check
from integrations.zuora.standin.store import Row
from integrations.zuora.standin.tenant import Tenant
from integrations.zuora.standin.zoql import parse, run

if TYPE_CHECKING:
    from integrations.zuora.standin.wire import Request

MOST_OBJECTS = 50
BATCH = 2_000
CURSOR_LIFE = timedelta(minutes=15)
Create = Callable[[Tenant, dict[str, Any]], Row]
Change = Callable[[Tenant, Row, dict[str, Any]], Row]
Remove = Callable[[Tenant, Row], dict[str, Any]]


def _new_unit(tenant: Tenant, body: dict[str, Any]) -> Row:
    return units.new_unit(tenant, body)


def _change_tier(tenant: Tenant, row: Row, body: dict[str, Any]) -> Row:
    return tenant.update("ProductRatePlanChargeTier", row, **body)


CREATES: dict[str, Create] = {
    "Usage": usage.new_usage,
    "Product": catalog.new_product,
    "ProductRatePlan": catalog.new_rate_plan,
    "ProductRatePlanCharge": charges.new_charge,
    "UnitOfMeasure": _new_unit,
}
CHANGES: dict[str, Change] = {
    "Usage": usage.change_usage,
    "Product": catalog.change_product,
    "ProductRatePlan": catalog.change_rate_plan,
    "ProductRatePlanCharge": charges.change_charge,
    "ProductRatePlanChargeTier": _change_tier,
    "UnitOfMeasure": units.change_unit,
}
REMOVES: dict[str, Remove] = {
    "Usage": usage.remove_usage,
    "Product": catalog.remove_product,
    "ProductRatePlan": catalog.remove_rate_plan,
    "ProductRatePlanCharge": charges.remove_charge,
    "UnitOfMeasure": units.remove_unit,
}


def _list(request: Request, member: str, known: dict[str, Any]) -> tuple[str, list[Any]]:
    body = request.json
    kind, items = body.get("type"), body.get(member)
    if not kind:
        raise missing("type")
    if not isinstance(kind, str) or kind not in known:
        raise Refusal(Kind.BAD_TYPE, f"invalid object type: {kind}")
    if not isinstance(items, list) or not items:
        raise missing(member)
    if len(items) > MOST_OBJECTS:
        raise Refusal(Kind.TOO_MANY, f"The maximum number of objects in one call is {MOST_OBJECTS}.")
    return kind, items


def _each(
    tenant: Tenant, items: list[Any], work: Callable[[Any], dict[str, Any]], *, lower: bool = False
) -> list[dict[str, Any]]:
    """One result for each item, in order; what fails is undone alone."""
    results = []
    for item in items:
        try:
            with tenant.store.transaction():
                results.append(work(item))
        except Refusal as refusal:
            if any(one.kind is Kind.UNKNOWN_FIELD for one in refusal.all):
                raise
            errors = crud_errors(refusal)
            results.append({"success": False, "errors": errors} if lower else {"Success": False, "Errors": errors})
    return results


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Refusal(Kind.INVALID_VALUE, "Each of objects must be an object.")
    return item


def _clean(body: dict[str, Any], kind: str, word: str, rules: Rules) -> dict[str, Any]:
    if kind == "UnitOfMeasure":
        return {name: value for name, value in body.items() if value is not None and name != "Id"}
    return check(body, f"{kind}.{word}", rules)


def create(tenant: Tenant, request: Request) -> Any:
    kind, items = _list(request, "objects", CREATES)
    rules = crud_rules(tenant, request, kind)
    return _each(tenant, items, lambda item: saved(CREATES[kind](tenant, _clean(_object(item), kind, "create", rules))))


def update(tenant: Tenant, request: Request) -> Any:
    kind, items = _list(request, "objects", CHANGES)
    rules = crud_rules(tenant, request, kind)

    def one(item: Any) -> dict[str, Any]:
        body = dict(_object(item))
        row = _required(tenant, kind, body.pop("Id", None))
        nulls = body.pop("fieldsToNull", None) or []
        changed = CHANGES[kind](tenant, row, _clean(body, kind, "update", rules))
        if isinstance(nulls, list) and nulls:
            changed = tenant.update(kind, changed, **dict.fromkeys(_nullable(row, nulls)))
        return saved(changed)

    return _each(tenant, items, one)


def _nullable(row: Row, names: list[Any]) -> list[str]:
    """Custom fields and descriptions can be emptied; what an object needs cannot."""
    for name in names:
        if not isinstance(name, str) or not (name.endswith(("__c", "__NS")) or name == "Description"):
            raise Refusal(Kind.INVALID_VALUE, f"The field '{name}' of {row['Id']} cannot be set to null.")
    return names


def delete(tenant: Tenant, request: Request) -> Any:
    kind, items = _list(request, "ids", REMOVES)
    return _each(tenant, items, lambda item: REMOVES[kind](tenant, _required(tenant, kind, item)), lower=True)


def _required(tenant: Tenant, kind: str, row_id: Any) -> Row:
    row = tenant.store.get(kind, row_id) if isinstance(row_id, str) else None
    if row is None:
        raise Refusal(Kind.NOT_FOUND, f"invalid id for type {kind}: {row_id}")
    return row


def _batch_size(body: dict[str, Any]) -> int:
    size = (
        (body.get("conf") or {}).get("batchSize", BATCH) if isinstance(body.get("conf"), (dict, type(None))) else None
    )
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= BATCH:
        raise Refusal(Kind.INVALID_VALUE, "conf.batchSize must be a whole number from 1 to 2000.")
    return size


def query(tenant: Tenant, request: Request) -> Any:
    text = request.json.get("queryString")
    if not isinstance(text, str) or not text:
        raise missing("queryString")
    return _page(tenant, run(tenant, parse(tenant, text)), _batch_size(request.json))


def _page(tenant: Tenant, records: list[Row], size: int, whole: int | None = None) -> dict[str, Any]:
    total = len(records) if whole is None else whole
    answer: dict[str, Any] = {"size": total, "records": records[:size], "done": len(records) <= size}
    if len(records) > size:
        locator = f"{tenant.store.new_id()}-{size}"
        now = tenant.clock.now()
        tenant.cursors = {key: kept for key, kept in tenant.cursors.items() if now - kept[0] < CURSOR_LIFE}
        tenant.cursors[locator] = (now, records[size:], str(total))
        answer["queryLocator"] = locator
    return answer


def query_more(tenant: Tenant, request: Request) -> Any:
    locator = request.json.get("queryLocator")
    kept = tenant.cursors.get(locator) if isinstance(locator, str) else None
    if kept is None or tenant.clock.now() - kept[0] >= CURSOR_LIFE:
        raise Refusal(Kind.INVALID_VALUE, "The query locator is unknown, or older than 15 minutes.")
    return _page(tenant, kept[1], _batch_size(request.json), int(kept[2]))
