"""JSON as it comes in: its numbers exactly, and no name twice in an object."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import MAX_PREC, Context, Decimal, InvalidOperation
from itertools import islice
from typing import Any

_BEYOND = Context(prec=MAX_PREC, traps=[])
#: A body of megabytes may hold any number of them.
_MOST_NAMED = 100
_Pairs = list[tuple[str, Any]]
#: Where something is: the names and places that lead there.
Path = tuple[str | int, ...]


class GivenTwice(Exception):  # noqa: N818 - an answer for the caller
    """Names come more than once in an object, and only the last would count; `places` says which, and how often."""

    def __init__(self, places: Sequence[tuple[Path, int]]) -> None:
        super().__init__(" ".join(f"{'.'.join(map(str, path))} {given(count)}" for path, count in places))
        self.places = places


def given(count: int) -> str:
    """Say what to do about a name that comes so often."""
    return f"is given {count} times, and only one can count: give it once."


def read_json(text: str) -> Any:
    """Read JSON, its numbers exactly; one whose exponent no decimal holds is infinite, or zero.

    Raises:
        GivenTwice: a name comes more than once in an object.
        ValueError: it is not JSON, nested too deeply, or holds a whole number of thousands of digits.
    """
    try:
        try:
            return _exactly(text)
        except _Repeats:
            known = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_Repeating)
            raise GivenTwice([*islice(_places(known, ()), _MOST_NAMED)]) from None
    except RecursionError as wrong:
        raise ValueError("it is nested too deeply") from wrong
    except json.JSONDecodeError:
        raise
    except ValueError as wrong:  # how Python says that it protects itself
        raise ValueError("a whole number in it has thousands of digits") from wrong


def _exactly(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=Decimal, object_pairs_hook=_once)
    except InvalidOperation:
        lenient = _BEYOND.create_decimal
        return json.loads(text, parse_float=lenient, parse_constant=Decimal, object_pairs_hook=_once)


class _Repeats(Exception):  # noqa: N818 - it never leaves
    pass


def _once(pairs: _Pairs) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeats
    return found


class _Repeating(dict[str, Any]):
    """An object that knows how often each of its names came."""

    def __init__(self, pairs: _Pairs) -> None:
        super().__init__(pairs)
        self.counts = Counter(name for name, _ in pairs)


def _places(value: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(value, _Repeating):
        yield from (((*path, name[:40]), count) for name, count in value.counts.items() if count > 1)
        for name, one in value.items():
            yield from _places(one, (*path, name[:40]))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _places(one, (*path, place))
