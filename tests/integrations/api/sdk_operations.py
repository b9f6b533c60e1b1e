"""Every operation that the published SDK has: method and path, read from its own source, and the method to call."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import stigg

_VERBS = {
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}
Place = tuple[str, str]
Method = Callable[..., Any]


def plain(path: str) -> str:
    """Return the path without the names in it: ours are not always the SDK's."""
    return re.sub(r"{\w+}", "{}", path)


def sdk_operations(client: stigg.Stigg) -> dict[Place, tuple[str, Method]]:
    """Return for each method and path the name by which the SDK calls it, and what it calls."""
    found = [
        pair
        for version in ("v1", "v1_beta", "v2")
        for pair in _methods(getattr(client, version), version)
        if _place(pair[1]) is not None
    ]
    return {place: (name, method) for name, method in found if (place := _place(method)) is not None}


def required(method: Method) -> list[str]:
    """Return the names of the arguments that must be given."""
    asked = inspect.signature(method).parameters.values()
    return [one.name for one in asked if one.default is inspect.Parameter.empty]


def _methods(resource: Any, name: str) -> Iterator[tuple[str, Method]]:
    for attribute, member in inspect.getmembers(type(resource)):
        if attribute.startswith(("_", "with_")):
            continue
        if inspect.isfunction(member):
            yield f"{name}.{attribute}", getattr(resource, attribute)
        elif type(inner := getattr(resource, attribute)).__module__.startswith("stigg.resources"):
            yield from _methods(inner, f"{name}.{attribute}")


def _place(method: Method) -> Place | None:
    for call in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(method)))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _VERBS:
            written = call.args[0]
            template = written.args[0] if isinstance(written, ast.Call) else written
            assert isinstance(template, ast.Constant)
            return _VERBS[call.func.attr], plain(str(template.value))
    return None
