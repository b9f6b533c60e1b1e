"""What the API answers when it cannot do what was asked, in the shape of Stigg's: a message and a code.

The SDK chooses its exception by the status and shows the body (`_make_status_error` in `stigg/_client.py`). We add a
`traceId`, which is in our log too, and for a batch `errors`: each with its index, its code and its reason.
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from pydantic.alias_generators import to_camel

from integrations.api.reading import Path, given
from usage.checking import Problem, Reason

_STATUS = {
    Reason.CUSTOMER_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.FEATURE_NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.PLAN_NOT_FOUND: HTTPStatus.NOT_FOUND,
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


def conflict(code: str, message: str) -> ApiError:
    """Return the answer to what the state of things forbids; the SDK would send a 409 twice more, for nothing."""
    return ApiError(HTTPStatus.CONFLICT, code, message, headers={"x-should-retry": "false"})


def not_built(sentence: str) -> ApiError:
    """Return the answer to what Stigg does and we do not: never a silent success."""
    return ApiError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", sentence, headers={"x-should-retry": "false"})


def invalid(error: ValidationError) -> ApiError:
    """Return the answer to what a rule of the domain forbids, by the code of Stigg's that the domain gave it."""
    code = _stiggs_code(error)
    if code.endswith("NotFound"):
        return not_found(code, " ".join(error.messages))
    if code == "SubscriptionAlreadyExists":
        return conflict(Reason.DUPLICATE, " ".join(error.messages))
    status, code = HTTPStatus.BAD_REQUEST, code or Reason.BAD_INPUT
    if not hasattr(error, "error_dict"):
        return ApiError(status, code, " ".join(error.messages))
    named = {name: messages for name, messages in error.message_dict.items() if name != NON_FIELD_ERRORS}
    told = (f"{to_camel(name)}: {' '.join(messages)}" for name, messages in named.items())
    sentences = [*error.message_dict.get(NON_FIELD_ERRORS, []), *told]
    return ApiError(status, code, " ".join(sentences))


def _stiggs_code(error: ValidationError) -> str:
    """Return the first code that is one of Stigg's, which begin with a capital letter; Django's own do not."""
    one_by_one = (
        [one for many in error.error_dict.values() for one in many]
        if hasattr(error, "error_dict")
        else [*error.error_list]
    )
    return next((code for one in one_by_one if (code := str(one.code or ""))[:1].isupper()), "")


def batch_refusal(error: ValidationError) -> ApiError:
    """Return the answer to a batch of which the domain took nothing: each sentence with its index as its code."""
    return refusal([Problem(int(one.code or 0), Reason.BAD_INPUT, str(one.message)) for one in error.error_list])


def given_twice(places: Sequence[tuple[Path, int]]) -> ApiError:
    """Return the answer to a body in which names come more than once: one of them would be dropped."""
    return unreadable(
        [{"loc": path, "type": "given_twice", "msg": f"it {given(count)[:-1]}"} for path, count in places]
    )


def unreadable(problems: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return the answer to what a schema forbids: `problems` as pydantic tells them, each with its path."""
    errors = [
        {"path": ".".join(str(step) for step in one["loc"]), "code": Reason.BAD_INPUT, "message": _sentence(one)}
        for one in problems
    ]
    first = errors[0]
    place = f"{first['path']}: " if first["path"] else ""
    rest = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    return ApiError(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, f"{place}{first['message']}{rest}", errors=errors)


def _sentence(problem: Mapping[str, Any]) -> str:
    known = {"missing": "it is missing", "extra_forbidden": "this name is not known here"}
    said = problem["msg"].removeprefix("Value error, ").replace(" after validation", "")
    return f"{known.get(problem['type']) or _SUBJECT.sub('it should', said)}."


#: How pydantic begins: the path before its sentence has said already what is meant.
_SUBJECT = re.compile(r"^(Input|String|List|Dictionary) should")


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
