"""Zuora's own client, and what holds its answers against its models.

Its response models do not validate by themselves, so each answer is held against their field types here.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import types
import typing
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from integrations.zuora.standin.objects import OBJECTS
from integrations.zuora.standin.routes import match
from integrations.zuora.standin.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zuora_sdk.zuora_client import ZuoraClient

    from integrations.zuora.standin.app import StandIn

OPERATION = re.compile(r"def _(\w+)_serialize\(.*?method='(\w+)',\s*resource_path='([^']+)'", re.DOTALL)
# The SDK insists on the lengths of real credentials.
CLIENT_ID, CLIENT_SECRET = "00000000-0000-4000-8000-000000000000", "made-up-secret-of-the-length-it-insists-on"
# The result of a job "matches" both of the models that the SDK has for it, which it takes for an error.
UNREADABLE = {"orders_api.get_job_status_and_response"}
# The SDK's model of a charge override in GET Order spells its required member so.
UNMET = {"productRateplanChargeId"}


@cache
def zuora_sdk() -> Any:
    """Return Zuora's package, imported when it is asked for: building its models takes as long as hundreds of tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("zuora_sdk.zuora_client")
        return importlib.import_module("zuora_sdk")


@contextmanager
def served(app: StandIn) -> Iterator[str]:
    server = Server(app, "127.0.0.1", 0)
    thread = Thread(target=server.serve)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()
        app.close()


def operations() -> dict[str, tuple[str, str]]:
    """Every operation of the SDK: "api.method" to HTTP method and path."""
    found = {}
    for name, api in vars(zuora_sdk().api).items():
        if isinstance(api, types.ModuleType) and name.endswith("_api"):
            for method, verb, path in OPERATION.findall(inspect.getsource(api)):
                found[f"{name}.{method}"] = (verb, path)
    return found


def in_standin(verb: str, path: str) -> bool:
    """Whether the stand-in routes this operation; of Object Query only the objects that it has."""
    query = re.fullmatch(r"/object-query/([a-z-]+)(/\{key\})?", path)
    if path.startswith("/object-query/"):
        return query is not None and query[1] in OBJECTS
    route, _, _ = match(verb, re.sub(r"\{[^}]+\}", "x", path))
    return path == "/oauth/token" or (route is not None and route.template.count("{") == path.count("{"))


def misfits(model: Any, value: Any, path: str = "") -> list[str]:
    """Where a JSON value differs from a model of the SDK, in required members and in types."""
    if value is None:
        return []
    origin = typing.get_origin(model)
    if origin in (typing.Union, types.UnionType):
        return min((misfits(one, value, path) for one in typing.get_args(model) if one is not type(None)), key=len)
    if origin is list and isinstance(value, list):
        (item,) = typing.get_args(model)
        return [wrong for index, one in enumerate(value) for wrong in misfits(item, one, f"{path}[{index}]")]
    if isinstance(model, type) and issubclass(model, pydantic.BaseModel):
        return _model_misfits(model, value, path)
    return _type_misfits(model, value, path)


def _type_misfits(model: Any, value: Any, path: str) -> list[str]:
    try:
        pydantic.TypeAdapter(model).validate_json(json.dumps(value))
    except pydantic.ValidationError as wrong:
        return [f"{path}: {wrong.errors()[0]['msg']} ({value!r})"]
    return []


def _model_misfits(model: type[pydantic.BaseModel], value: Any, path: str) -> list[str]:
    if "one_of_schemas" in model.model_fields:
        return []
    if not isinstance(value, dict):
        return [f"{path}: not an object"]
    found = []
    for name, member in model.model_fields.items():
        key = member.alias or name
        if key in value:
            found += misfits(member.annotation, value[key], f"{path}.{key}")
        elif member.is_required() and key not in UNMET:
            found.append(f"{path}.{key}: missing")
    return found


@dataclass
class Sdk:
    client: ZuoraClient
    app: StandIn
    covered: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def call(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """Call an operation; the answer as plain JSON, held against the SDK's model."""
        api_name, method = operation.split(".")
        api = getattr(self.client, api_name)()
        self.covered.add(operation)
        text, kind = self._sent(getattr(api, f"{method}_with_http_info"), operation, arguments, options)
        if not text or "json" not in kind:
            return text
        value = json.loads(text)
        returned = typing.get_type_hints(getattr(type(api), method)).get("return")
        self.wrong += [f"{operation}{one}" for one in misfits(returned, value)]
        return value

    def _sent(self, method: Callable[..., Any], operation: str, arguments: Any, options: Any) -> tuple[str, str]:
        """The answer's text and media type; of an answer that the SDK cannot read, from the stand-in's log."""
        if operation in UNREADABLE:
            with pytest.raises(ValueError, match="Multiple matches found"):
                method(*arguments, **options)
            return self.app.control.requests()[-1].answer.decode(), "application/json"
        answer = method(*arguments, **options)
        return (answer.raw_data or b"").decode(), (answer.headers or {}).get("Content-Type", "")
