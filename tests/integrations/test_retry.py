from datetime import UTC, datetime, timedelta

import pytest

from integrations.retry import Again, Key, decide, key_after, key_is_alive
from integrations.zuora.errors import (
    Conflict,
    Forbidden,
    Kind,
    LimitExceeded,
    Locked,
    NoAnswer,
    NotFound,
    Outcome,
    Reason,
    Rejected,
    Scope,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    ZuoraError,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def _after(seconds: float, *, counts: bool = True) -> Again:
    return Again(NOW + timedelta(seconds=seconds), counts)


@pytest.mark.parametrize(
    ("error", "attempts", "jitter", "expected"),
    [
        (Unavailable("x"), 1, 1.0, _after(2)),
        (Unavailable("x"), 3, 1.0, _after(8)),
        (Unavailable("x"), 3, 0.5, _after(4)),
        (Unavailable("x"), 3, 0.0, _after(0)),
        (Unavailable("x"), 7, 1.0, _after(60)),
        (Unavailable("x"), 9, 1.0, _after(512)),
        (Unavailable("x"), 11, 1.0, _after(600)),
        (Unavailable("x", retry_after=30), 1, 1.0, _after(30)),
        (Unavailable("x", retry_after=1), 4, 1.0, _after(16)),
        (Unavailable("x"), 12, 1.0, None),
        (Locked("x"), 1, 1.0, _after(2, counts=False)),
        (Conflict("x", outcome=Outcome.UNKNOWN), 1, 0.0, _after(1)),
        (NoAnswer("x", outcome=Outcome.UNKNOWN), 1, 0.0, _after(1)),
        (NoAnswer("x", outcome=Outcome.UNKNOWN), 12, 1.0, None),
        (Rejected("x"), 1, 1.0, None),
        (Rejected("x", kind=Kind.BUG), 1, 1.0, None),
        (Forbidden("x"), 1, 1.0, None),
        (NotFound("x"), 1, 1.0, None),
        (LimitExceeded("x", retry_after=20), 40, 1.0, _after(600, counts=False)),
        (LimitExceeded("x", retry_after=20), 1, 0.0, _after(20, counts=False)),
        (Unauthorized("x"), 99, 0.0, _after(0, counts=False)),
        (Unavailable("x", scope=Scope.CONNECTION), 99, 1.0, _after(600, counts=False)),
    ],
)
def test_when_to_send_again(error: ZuoraError, attempts: int, jitter: float, expected: Again | None) -> None:
    assert decide(error, attempts=attempts, most=12, now=NOW, jitter=lambda: jitter) == expected


def _category(category: str) -> Unavailable:
    return Unavailable("x", reasons=(Reason(f"535000{category}", "x"),))


@pytest.mark.parametrize(
    ("error", "repeated", "expected"),
    [
        (NoAnswer("x", outcome=Outcome.UNKNOWN), False, Key.KEEP),
        (NoAnswer("x", outcome=Outcome.UNKNOWN), True, Key.KEEP),
        (UnexpectedAnswer("x", outcome=Outcome.UNKNOWN), False, Key.KEEP),
        (Unavailable("x", outcome=Outcome.UNKNOWN), False, Key.KEEP),
        (Conflict("x", outcome=Outcome.UNKNOWN), False, Key.KEEP),
        (NoAnswer("x", outcome=Outcome.NOT_SENT), False, Key.NEW),
        (NoAnswer("x", outcome=Outcome.NOT_SENT), True, Key.KEEP),
        (Locked("x"), False, Key.NEW),
        (Locked("x"), True, Key.LOOK_UP),
        (LimitExceeded("x"), False, Key.NEW),
        (Rejected("x"), False, Key.NEW),
        (Rejected("x"), True, Key.LOOK_UP),
        (_category("61"), False, Key.NEW),
        (_category("60"), False, Key.LOOK_UP),
        (_category("99"), False, Key.LOOK_UP),
    ],
)
def test_what_becomes_of_the_idempotency_key(error: ZuoraError, *, repeated: bool, expected: Key) -> None:
    assert key_after(error, repeated=repeated) == expected


def test_a_key_is_trusted_for_an_hour_less_than_a_day() -> None:
    assert key_is_alive(NOW - timedelta(hours=22, minutes=59), NOW)
    assert not key_is_alive(NOW - timedelta(hours=23), NOW)
