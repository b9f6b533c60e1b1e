"""Every operation there is: the addresses, the document, its page and the suite that counts them come from here."""

from collections import defaultdict
from collections.abc import Mapping
from types import ModuleType

from integrations.api import (
    addons,
    coupons,
    customer_links,
    customers,
    features,
    plans,
    products,
    subscription_changes,
    subscriptions,
    usage,
)
from integrations.api.operation import Operation
from integrations.api.unbuilt import UNBUILT

#: In the order of the document.
_MODULES: tuple[ModuleType, ...] = (
    products,
    features,
    plans,
    addons,
    coupons,
    customers,
    customer_links,
    subscriptions,
    subscription_changes,
    usage,
)

BUILT: tuple[Operation, ...] = tuple(
    found for module in _MODULES for found in vars(module).values() if isinstance(found, Operation)
)
KNOWN: tuple[Operation, ...] = BUILT + UNBUILT


def by_path() -> dict[str, Mapping[str, Operation]]:
    """Return the operations of each path by their methods; what is written out goes before what is captured.

    Raises:
        ValueError: two are at the same place.
    """
    found: defaultdict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in KNOWN:
        if found[operation.path].setdefault(operation.method, operation) is not operation:
            msg = f"two operations are at {operation.method} {operation.path}"
            raise ValueError(msg)
    return {path: found[path] for path in sorted(found, key=lambda path: path.count("{"))}
