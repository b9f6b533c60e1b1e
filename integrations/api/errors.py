"""What the API answers when it cannot do what was asked, in the shape of Stigg's: a message and a code.

The SDK chooses its exception by the status and shows the body (`_make_status_error` in `stigg/_client.py`). We add a
`traceId`, which is in our log too, and for a batch `errors`: each with its index, its code and its reason.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from usage.checking import Problem, Reason

_STATUS = {
    Reason.CUSTOMER_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.FEATURE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.DUPLICATE: HTTPStatus.CONFLICT,
}


class ApiError(Exception):
    """An answer with a 4xx or 5xx status."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.errors, self.headers = errors, headers or {}

    def body(self, *, trace_id: str) -> dict[str, Any]:
        """Return the answer's body."""
        named = {"errors": list(self.errors)} if self.errors else {}
        return {"message": self.message, "code": self.code, "traceId": trace_id, **named}


def bad_input(message: str) -> ApiError:
    """Return the answer to a request that cannot be understood."""
    return ApiError(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, message)


def not_found(code: str, message: str) -> ApiError:
    """Return the answer to a request for something that is not there."""
    return ApiError(HTTPStatus.NOT_FOUND, code, message)


def refusal(problems: Sequence[Problem]) -> ApiError:
    """Return the answer to a batch: by the one reason of all its problems, or as bad input when there are several."""
    codes = {problem.code for problem in problems}
    code = codes.pop() if len(codes) == 1 else Reason.BAD_INPUT
    return ApiError(
        _STATUS.get(code, HTTPStatus.BAD_REQUEST),
        code,
        _summary(problems),
        errors=[
            {"index": problem.index, "code": problem.code, "message": problem.reason}
            for problem in problems
            if problem.index is not None
        ],
        # A conflict of keys does not go away: the SDK would send a 409 twice more.
        headers={"x-should-retry": "false"} if code == Reason.DUPLICATE else None,
    )


def _summary(problems: Sequence[Problem]) -> str:
    first = problems[0]
    if first.index is None:
        return first.reason
    rest = f" (and {len(problems) - 1} more, see errors)" if len(problems) > 1 else ""
    return f"Nothing was stored. At index {first.index}: {first.reason}{rest}"
