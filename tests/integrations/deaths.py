"""A worker that dies at its n-th step: before a write to the database, before a request, or with the answer in hand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.db import connection

from tests.standin_transport import WSGIAdapter

_UNDONE = ("ROLLBACK", "SAVEPOINT", "RELEASE")


class KilledError(BaseException):
    """The process ends here, without a word."""


class _Mortal:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        """Die, and from then on at every step: the dead write nothing."""
        self.left -= 1
        if self.left <= 0:
            raise KilledError

    def execute(self, execute: Callable[..., Any], sql: str, params: Any, many: Any, context: Any) -> Any:
        if not sql.startswith(("SELECT", *_UNDONE)):
            self.step()
        return execute(sql, params, many, context)


@contextmanager
def dying(*, at: int, with_answer: bool = False) -> Iterator[None]:
    """Let what happens inside end at that step, if it comes so far; what was not committed is undone.

    `with_answer`: only answers count as steps, so that the far side has done the work and nobody here knows.
    """
    mortal, send = _Mortal(at), WSGIAdapter.send

    def mortal_send(*args: Any, **named: Any) -> Any:
        if not with_answer or mortal.left <= 0:
            mortal.step()
        answer = send(*args, **named)
        mortal.step()
        return answer

    def mortal_execute(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        if with_answer and mortal.left > 0:
            return execute(sql, *more)
        return mortal.execute(execute, sql, *more)

    with patch.object(WSGIAdapter, "send", mortal_send), connection.execute_wrapper(mortal_execute):
        try:
            yield
        except KilledError:
            # What stood alone in a transaction of its own was never begun; the test's own transaction goes on.
            connection.set_rollback(False)
