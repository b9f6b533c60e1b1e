"""Every operation that the published SDK has, read from its own source: method, path, and where it is called."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import stigg

_VERBS = {
    "_get": "GET",
    "_get_api_list": "GET",
    "_post": "POST",
    "_put": "PUT",
    "_patch": "PATCH",
    "_delete": "DELETE",
}
_RESOURCES = Path(stigg.__file__).parent / "resources"


def plain(path: str) -> str:
    """Return the path without the names in it: ours are not always the SDK's."""
    return re.sub(r"{\w+}", "{}", path)


def sdk_operations() -> dict[tuple[str, str], str]:
    """Return for each method and path the name by which the SDK calls it."""
    return {(method, plain(path)): name for method, path, name in _found()}


def _found() -> Iterator[tuple[str, str, str]]:
    for file in sorted(_RESOURCES.rglob("*.py")):
        for resource in ast.parse(file.read_text()).body:
            if not isinstance(resource, ast.ClassDef) or resource.name.startswith("Async") or "With" in resource.name:
                continue
            for method in resource.body:
                for call in ast.walk(method):
                    verb = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
                    if isinstance(call, ast.Call) and verb in _VERBS and isinstance(method, ast.FunctionDef):
                        place = ".".join(file.relative_to(_RESOURCES).with_suffix("").parts)
                        yield _VERBS[verb], _path(call.args[0]), f"{place}.{method.name}"


def _path(written: ast.expr) -> str:
    template = written.args[0] if isinstance(written, ast.Call) else written
    assert isinstance(template, ast.Constant)
    return str(template.value)
