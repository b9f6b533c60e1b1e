"""Zuora's own client, `zuora-sdk`, unmodified: only those of its modules that somebody asks for.

Importing the package imports all of its 1,700 models, which takes nine seconds of processor time. Here a module is
imported under stand-ins for the packages around it, which import nothing and are taken away again.
"""

import importlib
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_PACKAGE = "zuora_sdk"
_lock = threading.RLock()
_own_modules: dict[str, ModuleType] = {}


def module(name: str) -> ModuleType:
    """Return a module of the client by its name within it, for example `api.subscriptions_api`."""
    with _without_the_packages():
        return importlib.import_module(f"{_PACKAGE}.{name}")


@cache
def model(name: str) -> Any:
    """Return one of the client's models by its name; AttributeError when there is none, as from the package itself."""
    if name not in module_names():
        raise AttributeError(name)
    return getattr(module(f"models.{module_names()[name]}"), name)


@cache
def root() -> Path:
    """Return the directory of the package; RuntimeError when it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError("zuora-sdk is not installed")
    return Path(spec.origin).parent


@cache
def module_names() -> dict[str, str]:
    """Return which module each model is in."""
    source = (root() / "models" / "__init__.py").read_text()
    found = re.findall(rf"^from {_PACKAGE}\.models\.(\w+) import (\w+)", source, re.MULTILINE)
    return {name: module for module, name in found}


@contextmanager
def _without_the_packages() -> Iterator[None]:
    """Let the client's modules find each other, while its packages do not import all of them."""
    with _lock:
        if not _own_modules:
            _own_modules.update(_packages())
        others = _taken_out()
        sys.modules.update(_own_modules)
        try:
            yield
        finally:
            _own_modules.update(_taken_out())
            sys.modules.update(others)


def _taken_out() -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == _PACKAGE}


def _packages() -> dict[str, ModuleType]:
    top, models, api = (ModuleType(name) for name in (_PACKAGE, f"{_PACKAGE}.models", f"{_PACKAGE}.api"))
    for package, place in ((top, root()), (models, root() / "models"), (api, root() / "api")):
        package.__path__ = [str(place)]
    # It reads answers into models that it knows by name.
    vars(models)["__getattr__"] = model
    vars(top)["models"] = models
    return {package.__name__: package for package in (top, models, api)}
