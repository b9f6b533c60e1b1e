"""What was sent, in a form that can be kept and compared."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Return the value as JSON keeps it: numbers with a point as text, so that 30, 30.0 and 30.00 are one price."""
    match value:
        case Decimal():
            return format(value.normalize(), "f") if value else "0"
        case Mapping():
            return {str(key): plain(value[key]) for key in sorted(value)}
        case str() | bytes():
            return value
        case Sequence():
            return [plain(item) for item in value]
    return value


def digest(value: Any) -> str:
    """Return a fingerprint: equal for what `plain` makes equal."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
