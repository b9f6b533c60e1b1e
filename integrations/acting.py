"""On whose behalf something is done: known at the door, asked for where a row is written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

PROGRAM = "the program"


def _program() -> str:
    return PROGRAM


@dataclass(frozen=True)
class Doing:
    """Who does it, by the name that people read, and within which request; both may be unknown."""

    name: Callable[[], str] = _program
    request_id: str = ""

    @property
    def who(self) -> str:
        return self.name() or PROGRAM


_NOBODY = Doing()
_doing: ContextVar[Doing] = ContextVar("doing", default=_NOBODY)


def doing() -> Doing:
    """Return on whose behalf this code runs: nobody's but the program's own, unless a door said otherwise."""
    return _doing.get()


@contextmanager
def acting(name: Callable[[], str], *, request_id: str | None = None) -> Iterator[None]:
    """Do what the block does on behalf of `name()`, which is asked for only when it is needed."""
    within = _doing.get().request_id if request_id is None else request_id
    token = _doing.set(Doing(name, within))
    try:
        yield
    finally:
        _doing.reset(token)
