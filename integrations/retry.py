"""When to try again: a pure decision, so that it can be read as a table and tested as one.

Full jitter as Zuora advises (base 1 s, cap 60 s), Retry-After honoured; from the eighth attempt on the cap is ten
minutes, so that a long illness of the far side costs few calls. Source:
https://developer.zuora.com/v1-api-reference/error-handling/
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from integrations.zuora.errors import Conflict, Kind, LimitExceeded, Locked, NoAnswer, Outcome, Scope, ZuoraError

BASE = timedelta(seconds=1)
CAP = timedelta(seconds=60)
LATE_CAP = timedelta(minutes=10)
_LATE = 8
#: A stored answer is replayed for this long; later the key protects nothing.
KEY_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Again:
    """Try again then. `counts`: whether it uses up one of the attempts (an illness of the whole tenant does not)."""

    at: datetime
    counts: bool


def decide(error: ZuoraError, *, attempts: int, most: int, now: datetime, jitter: Callable[[], float]) -> Again | None:
    """Return when to send again, or None when only a person or a data change can help.

    `attempts` have been made, this one included; `most` may be made; `jitter` gives a number from 0 to 1.
    """
    whole_tenant = error.scope is Scope.CONNECTION or isinstance(error, LimitExceeded)
    if not whole_tenant and (error.kind is not Kind.TRANSIENT or attempts >= most):
        return None
    wait = pause_of(attempts) * jitter()
    if isinstance(error, Conflict | NoAnswer):
        wait = max(wait, BASE)  # it may still be running over there
    if error.retry_after is not None:
        wait = max(wait, timedelta(seconds=error.retry_after))
    return Again(now + wait, counts=not whole_tenant and not isinstance(error, Locked))


def pause_of(attempts: int) -> timedelta:
    """Return the longest pause after so many attempts."""
    cap = LATE_CAP if attempts >= _LATE else CAP
    pause: timedelta = min(cap, BASE * 2 ** min(attempts, 16))
    return pause


class Key(StrEnum):
    """What becomes of an idempotency key after an error."""

    KEEP = "keep"  # the same key, the same bytes
    LOOK_UP = "look up"  # a new key, after a look-up by natural key
    NEW = "new"  # a new key


_LOOK_UP = frozenset({"60", "99"})  # internal and gateway errors may have done part of the work


def key_after(error: ZuoraError, *, repeated: bool) -> Key:
    """Return what becomes of the key: `repeated` when the key had been sent before without an answer.

    Zuora replays a stored failure for a day, so a received failure needs a new key; without an answer only the same key
    is safe. Source: https://developer.zuora.com/v1-api-reference/idempotent-requests/
    """
    if isinstance(error, Conflict) or error.outcome is Outcome.UNKNOWN:
        return Key.KEEP
    if error.outcome is Outcome.NOT_SENT:
        return Key.KEEP if repeated else Key.NEW
    if repeated or error.category in _LOOK_UP:
        return Key.LOOK_UP
    return Key.NEW


def key_is_alive(since: datetime, now: datetime) -> bool:
    """Whether the far side still knows the key; an hour is kept back for clocks that differ."""
    return now - since < KEY_LIFE - timedelta(hours=1)
