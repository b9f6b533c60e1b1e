"""Is a request what Zuora's own client would send? An answer that shares no code with what sends or receives it.

`check_request` compares a request with the model that the published `zuora-sdk` has for its operation, and then with
the rules that Zuora states only in prose. The SDK's models skip their own validation when they are made, so they are
walked here, member by member.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stigg_zuora.demo.sdk import model
from tests.sdk_models import Operation, operation_of
from tests.sdk_prose import check_content, check_head, check_values

#: Where the schema says more than Zuora means. Each has the rule that stands in its place, in `sdk_prose`.
NOT_REQUIRED = {
    # Zuora's own catalog guide: a one-time charge must not carry it. An update does not say which type it is.
    ("CreateProductRatePlanChargeRequest", "BillingPeriod"): ("ChargeType", "OneTime"),
    ("UpdateProductRatePlanChargeRequest", "BillingPeriod"): ("ChargeType", "OneTime"),
}
#: Values that the prose lists and the models leave open.
ENUMS = {
    ("CreateOrderAction", "type"): (
        "CreateSubscription AddProduct UpdateProduct RemoveProduct ChangePlan CancelSubscription RenewSubscription "
        "OwnerTransfer TermsAndConditions Suspend Resume"
    ),
    ("CreateOrderRequest", "status"): "Draft Pending Completed Scheduled",
    ("InitialTerm", "termType"): "TERMED EVERGREEN",
    ("InitialTerm", "periodType"): "Month Year Day Week",
    ("LastTerm", "termType"): "TERMED EVERGREEN",
    ("LastTerm", "periodType"): "Month Year Day Week",
    ("RenewalTerm", "periodType"): "Month Year Day Week",
    ("OrderActionCreateSubscriptionTerms", "renewalSetting"): "RENEW_WITH_SPECIFIC_TERM RENEW_TO_EVERGREEN",
    ("CreateOrderTermsAndConditions", "renewalSetting"): "RENEW_WITH_SPECIFIC_TERM RENEW_TO_EVERGREEN",
    ("OrderActionCancelSubscription", "cancellationPolicy"): "EndOfCurrentTerm EndOfLastInvoicePeriod SpecificDate",
    ("TriggerDate", "name"): "ContractEffective ServiceActivation CustomerAcceptance",
    ("ChargeTier", "priceFormat"): "FlatFee PerUnit",
}
#: The models of the objects inside an Action, which the schema leaves open.
ACTION_MODELS = {
    ("create", "Usage"): "CreateUsageRequest",
    ("update", "Usage"): "UpdateUsageRequest",
}
#: Models that say only what all objects have: the rest is held against the object's own model, above.
OPEN_MODELS = {"ZObjectUpdate"}
#: Operations that exist and that the SDK has no model for, with the members of their bodies.
UNMODELLED = {
    # https://docs.zuora.com/en/zuora-platform/integration/apis/settings-api/settings-api-tutorials/unit-of-measure-settings
    "/settings/units-of-measure": {
        "name": str,
        "displayAs": str,
        "precision": int,
        "roundingMode": str,
        "active": bool,
        "usageLogFileLabel": str,
    },
}


def check_request(
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> list[str]:
    """Return what is wrong with a request, nothing when it is right.

    `path` is without host and query; `body` is decoded JSON, a dict of form fields, or nothing.
    """
    problems = check_body(method, path, body)
    if operation_of(method, path):
        head = check_head(method, path, body, headers or {}, query or {})
        problems += [f"{method} {path}: {problem}" for problem in head]
    return problems


def check_body(method: str, path: str, body: Any = None) -> list[str]:
    """Return what is wrong with a body alone: for a mapping, which knows no headers."""
    operation = operation_of(method, path)
    if operation is None:
        return [f"{method} {path}: Zuora has no such operation"]
    problems = [*_check_model_of(operation, path, body), *check_values(body, "body")]
    problems = problems or list(check_content(method, path, body))
    return [f"{method} {path}: {problem}" for problem in problems]


def _check_model_of(operation: Operation, path: str, body: Any) -> Iterator[str]:
    if members := UNMODELLED.get(operation.template) if body is not None else None:
        yield from _check_members(body, members)
    elif operation.body and body is None:
        yield "body: missing"
    elif operation.body:
        # Custom fields stand at the top of an object, but in orders and subscriptions in a container of their own.
        allow_custom = not path.startswith(("/v1/orders", "/v1/subscriptions"))
        yield from _check_model(body, model(operation.body), "body", allow_custom=allow_custom)
    action = operation.template.rpartition("/v1/action/")[2]
    if isinstance(body, dict) and (name := ACTION_MODELS.get((action, str(body.get("type"))))):
        for index, item in enumerate(body.get("objects", [])):
            given = {key: value for key, value in item.items() if key != "Id" or action == "create"}
            yield from _check_model(given, model(name), f"body.objects[{index}]", allow_custom=True)
            if action == "update" and not isinstance(item.get("Id"), str):
                yield f"body.objects[{index}].Id: missing"


def _check_members(body: Any, members: Mapping[str, type]) -> Iterator[str]:
    for name, value in body.items():
        if name not in members:
            yield f"body.{name}: unknown"
        elif type(value) is not members[name]:
            yield f"body.{name}: {value!r} is not {members[name].__name__}"
    yield from (f"body.{name}: missing" for name in members if name not in body)


def _check_model(value: Any, cls: type[BaseModel], where: str, *, allow_custom: bool) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not an object"]
    if one_of := cls.model_fields.get("one_of_schemas"):
        return _best([_check_model(value, model(name), where, allow_custom=allow_custom) for name in one_of.default])
    fields = {info.alias or name: info for name, info in cls.model_fields.items() if name != "additional_properties"}
    problems = []
    for name, item in value.items():
        if name in fields:
            problems += _check_member(item, fields[name], cls, name, f"{where}.{name}", allow_custom=allow_custom)
        elif cls.__name__ not in OPEN_MODELS and not (allow_custom and name.endswith("__c")):
            problems.append(f"{where}.{name}: unknown")
    for name, info in fields.items():
        if info.is_required() and name not in value:
            other, wanted = NOT_REQUIRED.get((cls.__name__, name), ("", None))
            if not other or value.get(other, wanted) != wanted:
                problems.append(f"{where}.{name}: missing")
    return problems


def _check_member(
    value: Any, info: FieldInfo, cls: type[BaseModel], name: str, where: str, *, allow_custom: bool
) -> list[str]:
    problems = _check_type(value, info.annotation, where, allow_custom=allow_custom)
    problems += _check_limits(value, info.metadata, where)
    allowed = ENUMS.get((cls.__name__, name))
    if allowed and value not in allowed.split():
        problems.append(f"{where}: {value!r} is none of {allowed}")
    if name == "customFields" and isinstance(value, dict):
        problems += [f"{where}.{key}: unknown" for key in value if not key.endswith("__c")]
    return problems


def _check_type(value: Any, annotation: Any, where: str, *, allow_custom: bool) -> list[str]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        limits = [limit for extra in inner[1:] for limit in getattr(extra, "metadata", [extra])]
        return _check_type(value, inner[0], where, allow_custom=allow_custom) + _check_limits(value, limits, where)
    if origin in {Union, UnionType}:
        choices = [choice for choice in inner if choice is not NoneType]
        return _best([_check_type(value, choice, where, allow_custom=allow_custom) for choice in choices])
    if origin in {list, dict} and not isinstance(value, origin):
        return [f"{where}: {value!r} is not a {origin.__name__}"]
    if origin is list:
        return [
            problem
            for index, item in enumerate(value)
            for problem in _check_type(item, inner[0], f"{where}[{index}]", allow_custom=allow_custom)
        ]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _check_model(value, annotation, where, allow_custom=allow_custom)
    return _check_plain(value, annotation, where)


def _check_plain(value: Any, annotation: Any, where: str) -> list[str]:
    if annotation is Any or get_origin(annotation) is dict:
        return []
    if issubclass(annotation, Enum):
        # One value of the published schema carries a stray back-tick.
        allowed = [str(member.value).rstrip("`") for member in annotation]
        return [] if value in allowed else [f"{where}: {value!r} is none of {' | '.join(allowed)}"]
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    fits = {
        str: isinstance(value, str),
        bool: isinstance(value, bool),
        int: is_number and value == int(value),
        float: is_number,
        date: bool(re.fullmatch(r"\d{4}-\d\d-\d\d", str(value))) and _reads(date, value),
        datetime: _reads(datetime, value),
    }
    return [] if fits[annotation] else [f"{where}: {value!r} is not {annotation.__name__}"]


def _check_limits(value: Any, limits: Sequence[Any], where: str) -> list[str]:
    problems = []
    for limit in limits:
        match limit:
            case MaxLen(max_length=most) if isinstance(value, str | list) and len(value) > most:
                problems.append(f"{where}: {len(value)} characters, at most {most}")
            case MinLen(min_length=fewest) if isinstance(value, str | list) and len(value) < fewest:
                problems.append(f"{where}: {len(value)} characters, at least {fewest}")
            case Ge(ge=bound) if not value >= bound:
                problems.append(f"{where}: {value} is below {bound}")
            case Le(le=bound) if not value <= bound:
                problems.append(f"{where}: {value} is above {bound}")
            case Gt(gt=bound) if not value > bound:
                problems.append(f"{where}: {value} is not above {bound}")
            case Lt(lt=bound) if not value < bound:
                problems.append(f"{where}: {value} is not below {bound}")
    return problems


def _best(answers: list[list[str]]) -> list[str]:
    return min(answers, key=len)


def _reads(kind: type[date], text: Any) -> bool:
    try:
        kind.fromisoformat(text)
    except (TypeError, ValueError):
        return False
    return True
