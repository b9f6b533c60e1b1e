"""The operations of `zuora-sdk` and the models of their bodies, as its sources tell them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from stigg_zuora.demo.sdk import module_names, root

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

    def fits(self, path: str) -> bool:
        return self._path.fullmatch(path) is not None


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation of a request; a literal path wins over one with a name in it."""
    found = [operation for operation in _operations_by(method.upper()) if operation.fits(path)]
    return min(found, key=lambda operation: operation.template.count("{"), default=None)


@cache
def _operations_by(method: str) -> tuple[Operation, ...]:
    return tuple(operation for operation in _operations() if operation.method == method)


@cache
def _operations() -> tuple[Operation, ...]:
    found = [Operation(method, template) for method, template in _ELSEWHERE]
    for name in _API_FILES.split():
        file = root() / "api" / f"{name}_api.py"
        if file.exists():
            found += _operations_in(file.read_text())
    return tuple(found)


def _operations_in(source: str) -> Iterator[Operation]:
    for head in _HEAD.finditer(source):
        request = _METHOD.search(source, head.end())
        name = head.group(1).removeprefix("_")
        signature = re.search(rf"    def {name}\(\n(.*?)\n    \) ->", source, re.DOTALL)
        if request and signature:
            models = [found for found in _MODEL_ARGUMENT.findall(signature.group(1)) if found in module_names()]
            is_body = request.group(1) in {"POST", "PUT", "PATCH"}
            yield Operation(request.group(1), request.group(2), models[0] if models and is_body else "")
