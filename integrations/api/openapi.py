"""The OpenAPI 3.1 document: made from the operations and their schemas, and from nothing else."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import simplejson
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from integrations.api.operation import Operation
from integrations.api.registry import BUILT
from integrations.api.schema import Error
from integrations.api.unbuilt import UNBUILT

Json = dict[str, Any]

REFERENCE = "#/components/schemas/"
_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WRITING = (
    HTTPStatus.CONFLICT,
    HTTPStatus.LENGTH_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.NOT_IMPLEMENTED,
)
_ABOUT = (
    "Shaped as Stigg's v1 API, so that an application which speaks Stigg speaks to us: set STIGG_BASE_URL. "
    "Every POST may carry an Idempotency-Key: within 24 hours the same request is done once, and answered as it was."
)


@login_not_required
@require_safe
def document_view(_request: HttpRequest) -> HttpResponse:
    """Answer the document; it says what can be asked, and nothing of what is stored."""
    return HttpResponse(simplejson.dumps(document()), content_type="application/json")


@cache
def document() -> Json:
    """Return the document as plain data."""
    references, schemas = _schemas(BUILT)
    paths: dict[str, Json] = {}
    for operation in BUILT:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references, schemas)
    asked = {_name(references[operation.query, "validation"]) for operation in BUILT if operation.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": "stigg-zuora", "version": "v1", "description": _ABOUT},
        "security": [{"ApiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY"}},
            "schemas": {name: schema for name, schema in schemas.items() if name not in asked},
        },
        "x-not-built": [
            {"method": operation.method, "path": operation.path, "reason": operation.not_built} for operation in UNBUILT
        ],
    }


_References = Mapping[tuple[Any, JsonSchemaMode], Json]


def _schemas(operations: Sequence[Operation]) -> tuple[_References, Json]:
    used: list[tuple[Any, JsonSchemaMode]] = [(Error, "serialization")]
    for operation in operations:
        used += [(model, "validation") for model in (operation.body, operation.query) if model is not None]
        used.append((operation.answer, "serialization"))
    references, found = models_json_schema(list(dict.fromkeys(used)), ref_template=f"{REFERENCE}{{model}}")
    named = {_plain(name): _bare(schema) for name, schema in found["$defs"].items()}
    return {key: _bare(reference) for key, reference in references.items()}, named


_GENERIC = re.compile(r"(Data|Page)_(list_)?(\w+?)(?:Out)?_+")


def _plain(name: str) -> str:
    """Return a schema's name as a person would give it: PlanAnswer of Data[PlanOut], PlanPage of Page[PlanOut]."""
    found = _GENERIC.fullmatch(name)
    if found is None:
        return name
    kind, many, of = found.groups()
    return f"{of}{'s' if many else ''}{'Answer' if kind == 'Data' else 'Page'}"


def _bare(schema: Any) -> Any:
    """Leave out what says nothing: titles made of names, and the null that stands for "left out"."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {**schema, "$ref": REFERENCE + _plain(_name(schema))}
    kept = {name: _bare(value) for name, value in schema.items()}
    return {
        name: value
        for name, value in kept.items()
        if not (name == "title" and isinstance(value, str)) and not (name == "default" and value is None)
    }


def _name(reference: Json) -> str:
    return str(reference["$ref"]).removeprefix(REFERENCE)


def _operation(operation: Operation, references: _References, schemas: Json) -> Json:
    written: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": _parameters(operation, references, schemas),
        "responses": _responses(operation, references),
    }
    if operation.body is not None:
        schema = references[operation.body, "validation"]
        written["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return written


def _parameters(operation: Operation, references: _References, schemas: Json) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 255}}
        for name in operation.path_names
    ]
    if operation.query is not None:
        asked = schemas[_name(references[operation.query, "validation"])]
        for name, schema in asked["properties"].items():
            is_list = any("array" in str(one.get("type")) for one in (schema, *schema.get("anyOf", ())))
            style = {"style": "form", "explode": False} if is_list else {}
            required = name in asked.get("required", ())
            found.append({"name": name, "in": "query", "required": required, "schema": _asked(schema), **style})
    if operation.method == "POST":
        text = {"type": "string", "maxLength": 255}
        said = "What comes again under it within 24 hours is done once."
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": False, "schema": text, "description": said}
        )
    return found


def _asked(schema: Json) -> Json:
    """Return the schema of what stands in an address, where nothing can be null: it is left out instead."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "default", "title"}}
    return schema if not choices else kept | choices[0]


def _responses(operation: Operation, references: _References) -> Json:
    refusals = [HTTPStatus.BAD_REQUEST] if operation.writes or operation.query else []
    refusals += [HTTPStatus.NOT_FOUND] if operation.path_names or operation.writes else []
    refusals += _WRITING if operation.writes else ()
    refusals += [HTTPStatus.UNPROCESSABLE_ENTITY] if operation.method == "POST" else []
    error = _answer(references[Error, "serialization"])
    return {
        str(int(operation.status)): {
            "description": operation.status.phrase,
            **_answer(references[operation.answer, "serialization"]),
        },
        **{
            str(int(status)): {"description": status.phrase, **error}
            for status in sorted({*refusals, *_ALWAYS}, key=int)
        },
    }


def _answer(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}
