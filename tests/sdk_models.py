"""The operations and models of `zuora-sdk`, without waiting for all 1,700 of them to be built.

Importing the package builds every model, which takes about ten seconds. Here only the modules of the models that a
request needs are read, under stand-ins for the packages around them that are taken away again.
"""

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

_API_FILES = (
    "accounts actions imports object_queries o_auth orders product_rate_plan_charge_tiers product_rate_plan_charges"
)
_API_FILES += " product_rate_plans products subscriptions usage events payment_methods catalog"
#: What Zuora documents and the SDK leaves out.
_ELSEWHERE = (
    # https://docs.zuora.com/en/zuora-platform/integration/apis/settings-api/settings-api-tutorials/unit-of-measure-settings
    ("GET", "/settings/units-of-measure"),
    ("POST", "/settings/units-of-measure"),
    # https://developer.zuora.com/v1-api-reference/api/operation/GET_ProductById/ and the 2023 description of the API
    ("GET", "/v1/object/product/{id}"),
    ("GET", "/v1/object/product-rate-plan/{id}"),
    ("GET", "/v1/describe/{object}"),
    # https://developer.zuora.com/v1-api-reference/api/operation/POST_Usage/ (its answer's checkImportStatus)
    ("GET", "/v1/usage/{id}/status"),
)
_HEAD = re.compile(r"    def (\w+)_serialize\(\n")
_METHOD = re.compile(r"method='([A-Z]+)',\s+resource_path='([^']+)'")
_MODEL_ARGUMENT = re.compile(r"^        \w+: (?:Optional\[)?([A-Z]\w+)\]?(?: = None)?,$", re.MULTILINE)


@dataclass(frozen=True)
class Operation:
    """An operation of the API, and the name of its body's model, if it has one."""

    method: str
    template: str
    body: str = ""

    @cached_property
    def _path(self) -> re.Pattern[str]:
        return re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{[^}]+\}", self.template)))

    def fits(self, method: str, path: str) -> bool:
        return method == self.method and self._path.fullmatch(path) is not None


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation of a request; a literal path wins over one with a name in it."""
    found = [operation for operation in _operations() if operation.fits(method.upper(), path)]
    return min(found, key=lambda operation: operation.template.count("{"), default=None)


@cache
def model(name: str) -> type[BaseModel]:
    """Return one of the SDK's models."""
    with _without_the_packages():
        module = importlib.import_module(f"zuora_sdk.models.{_module_names()[name]}")
    found: type[BaseModel] = getattr(module, name)
    return found


@cache
def _root() -> Path:
    spec = find_spec("zuora_sdk")
    if spec is None or spec.origin is None:
        raise RuntimeError("zuora-sdk is not installed")
    return Path(spec.origin).parent


@cache
def _operations() -> tuple[Operation, ...]:
    found = [Operation(method, template) for method, template in _ELSEWHERE]
    for name in _API_FILES.split():
        file = _root() / "api" / f"{name}_api.py"
        if file.exists():
            found += _operations_in(file.read_text())
    return tuple(found)


def _operations_in(source: str) -> Iterator[Operation]:
    for head in _HEAD.finditer(source):
        request = _METHOD.search(source, head.end())
        name = head.group(1).removeprefix("_")
        signature = re.search(rf"    def {name}\(\n(.*?)\n    \) ->", source, re.DOTALL)
        if request and signature:
            models = [found for found in _MODEL_ARGUMENT.findall(signature.group(1)) if found in _module_names()]
            is_body = request.group(1) in {"POST", "PUT", "PATCH"}
            yield Operation(request.group(1), request.group(2), models[0] if models and is_body else "")


@cache
def _module_names() -> dict[str, str]:
    names = {}
    for line in (_root() / "models" / "__init__.py").read_text().splitlines():
        if found := re.match(r"from zuora_sdk\.models\.(\w+) import (\w+)", line):
            names[found.group(2)] = found.group(1)
    return names


_own_modules: dict[str, ModuleType] = {}


@contextmanager
def _without_the_packages() -> Iterator[None]:
    """Let the SDK's modules find each other, while its packages do not import all of them."""
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "zuora_sdk"}
    if not _own_modules:
        for name, path in (("zuora_sdk", _root()), ("zuora_sdk.models", _root() / "models")):
            package = ModuleType(name)
            package.__path__ = [str(path)]
            _own_modules[name] = package
    sys.modules.update(_own_modules)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "zuora_sdk"]:
            _own_modules[name] = sys.modules.pop(name)
        sys.modules.update(others)
