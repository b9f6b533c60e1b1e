"""Settings > API: what an application can ask here, from the same operations and schemas as the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from integrations.api.openapi import REFERENCE, document
from integrations.api.operation import RateClass
from integrations.api.registry import BUILT
from integrations.api.unbuilt import UNBUILT
from integrations.models import Scope
from integrations.views.access import viewers


@dataclass(frozen=True)
class Field:
    """A line of a schema's table; `links_to` is the schema that it is made of."""

    name: str
    type: str
    links_to: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Shown:
    """An operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    scopes: str
    limit: int
    parameters: list[Field]
    body: str
    status: int
    answer: str


@viewers
def api_docs(request: HttpRequest) -> HttpResponse:
    """Show the API's reference."""
    context = {
        "page": "settings",
        "tab": "api",
        "groups": _groups(),
        "schemas": _schemas(),
        "unbuilt": UNBUILT,
        "base_url": settings.PUBLIC_URL,
    }
    return render(request, "integrations/api_docs.html", context)


@cache
def _groups() -> list[tuple[str, list[Shown]]]:
    paths = document()["paths"]
    shown = [(operation.tag, _shown(operation.rate, operation.scopes, paths, operation)) for operation in BUILT]
    return [(tag, [one for _, one in group]) for tag, group in groupby(shown, key=lambda pair: pair[0])]


def _shown(rate: RateClass, scopes: frozenset[Scope], paths: Mapping[str, Any], operation: Any) -> Shown:
    written = paths[operation.path][operation.method.lower()]
    body = written.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    answer = written["responses"][str(int(operation.status))]["content"]["application/json"]["schema"]
    return Shown(
        name=operation.name,
        method=operation.method,
        path=operation.path,
        summary=written["summary"],
        description=written["description"],
        scopes=", ".join(scope.label for scope in Scope if scope in scopes),
        limit=settings.API_RATE_LIMITS[rate.value],
        parameters=[
            _field(one["name"], one["schema"] | {"description": one.get("description", "")}, one["required"])
            for one in written["parameters"]
        ],
        body=_linked(body),
        status=int(operation.status),
        answer=_linked(answer),
    )


@cache
def _schemas() -> list[tuple[str, str, list[Field]]]:
    """Return of each schema its name, what it is, and its fields; those of values are told by their type instead."""
    found = document()["components"]["schemas"]
    return [
        (
            name,
            schema.get("description", ""),
            [
                _field(field, of, field in schema.get("required", ()))
                for field, of in schema.get("properties", {}).items()
            ],
        )
        for name, schema in sorted(found.items())
        if "properties" in schema
    ]


def _field(name: str, schema: Mapping[str, Any], is_required: bool) -> Field:  # noqa: FBT001 - private
    return Field(name, _type(schema), _linked(schema), is_required, schema.get("description", ""))


def _linked(schema: Mapping[str, Any]) -> str:
    """Return the schema that this one is made of, or an empty text where it has no table of its own."""
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        inner = one if "$ref" in one else one.get("items", {})
        name = str(inner.get("$ref", "")).removeprefix(REFERENCE)
        if name and "properties" in document()["components"]["schemas"][name]:
            return name
    return ""


def _type(schema: Mapping[str, Any]) -> str:
    """Return in words what a value is: `integer, 1 to 100`, `list of PricingModelIn`, `MONTHLY or ANNUALLY`."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        of = document()["components"]["schemas"][name]
        return _choices(of["enum"]) if "enum" in of else name
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return _choices(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    limits = [
        f"{word} {schema[name]}"
        for name, word in (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"))
        if name in schema
    ]
    kind = schema.get("format", schema.get("type", "anything"))
    most = [f"up to {schema['maxLength']} characters"] if "maxLength" in schema else []
    return ", ".join([str(kind), *([" ".join(limits)] if limits else []), *most])


_MOST_CHOICES = 12


def _choices(values: list[str]) -> str:
    shown = " or ".join(str(value) for value in values[:_MOST_CHOICES])
    rest = len(values) - _MOST_CHOICES
    return f"{shown}, or one of {rest} more" if rest > 0 else shown
