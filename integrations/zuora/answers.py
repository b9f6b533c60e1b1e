"""What an answer of Zuora's means: a pure judgement over status, headers and body.

Success is HTTP 2xx and `success` absent or true and `Success` absent or true and the expected id present. Each family
of endpoints words its failures in its own way, some as HTTP 200, and the edge in front of them answers in HTML.

Sources: https://developer.zuora.com/v1-api-reference/error-codes/
https://developer.zuora.com/v1-api-reference/error-handling/
https://docs.zuora.com/zuora-platform/integration/apis/soap-api/error-handling/errors
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from integrations.zuora.body import decode
from integrations.zuora.errors import (
    Conflict,
    Forbidden,
    Kind,
    LimitExceeded,
    Locked,
    NotFound,
    Outcome,
    Reason,
    Redirected,
    Rejected,
    Scope,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    ZuoraError,
)

_DAY = 86_400.0
_SHOWN = 300

# The last two digits of an 8-digit code.
_CATEGORIES: dict[str, tuple[type[ZuoraError], Kind]] = {
    "10": (Forbidden, Kind.PERMANENT),
    "11": (Unauthorized, Kind.PERMANENT),
    "20": (Rejected, Kind.PERMANENT),
    "21": (Rejected, Kind.BUG),
    "22": (Rejected, Kind.PERMANENT),  # the tenant's own rules make fields required, too
    "23": (Rejected, Kind.BUG),
    "27": (Rejected, Kind.BUG),
    "30": (Rejected, Kind.PERMANENT),
    "40": (NotFound, Kind.PERMANENT),
    "45": (Rejected, Kind.BUG),
    "50": (Locked, Kind.TRANSIENT),
    "60": (Unavailable, Kind.TRANSIENT),
    "61": (Unavailable, Kind.TRANSIENT),
    "70": (LimitExceeded, Kind.TRANSIENT),
    "90": (Rejected, Kind.BUG),
    "99": (Unavailable, Kind.TRANSIENT),
}
# The codes of CRUD and Actions; any other of theirs is a permanent refusal.
_WORDS: dict[str, tuple[type[ZuoraError], Kind]] = {
    "API_DISABLED": (Forbidden, Kind.PERMANENT),
    "NO_PERMISSION": (Forbidden, Kind.PERMANENT),
    "INVALID_LOGIN": (Unauthorized, Kind.PERMANENT),
    "INVALID_SESSION": (Unauthorized, Kind.PERMANENT),
    "INVALID_FIELD": (Rejected, Kind.BUG),
    "INVALID_TYPE": (Rejected, Kind.BUG),
    "INVALID_VERSION": (Rejected, Kind.BUG),
    "MALFORMED_QUERY": (Rejected, Kind.BUG),
    "MAX_RECORDS_EXCEEDED": (Rejected, Kind.BUG),
    "LOCK_COMPETITION": (Locked, Kind.TRANSIENT),
    "REQUEST_EXCEEDED_LIMIT": (LimitExceeded, Kind.TRANSIENT),
    "TEMPORARY_ERROR": (Unavailable, Kind.TRANSIENT),
    "TRANSACTION_TIMEOUT": (Unavailable, Kind.TRANSIENT),
    "UNKNOWN_ERROR": (Unavailable, Kind.TRANSIENT),  # this and the next: the counterparts of category 60
    "UNEXPECTED_ERROR": (Unavailable, Kind.TRANSIENT),
}
# Of several reasons the first class in this order decides: one that cannot be retried outweighs all that can.
_GRAVITY = (Unauthorized, Forbidden, Rejected, NotFound, LimitExceeded, Locked, Unavailable)
_LEADS: dict[type[ZuoraError], str] = {
    Unauthorized: "Zuora refuses the credentials",
    Forbidden: "The API user may not do this, or the tenant lacks the feature",
    NotFound: "Zuora has no such object",
    Locked: "Another request, a person or a batch holds this object in Zuora",
    LimitExceeded: "Zuora's limit of requests is reached",
    Unavailable: "Zuora cannot do it at the moment",
    Rejected: "Zuora refuses it",
    Conflict: "Zuora still works on the same request",
}
_STATUSES: dict[int, type[ZuoraError]] = {403: Forbidden, 404: NotFound, 409: Conflict}
# Answers about the form of a request, which only a change of the program cures.
_OUR_FORM = frozenset({405, 406, 411, 413, 414, 415, 422, 431})


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, whole: `headers` in any letter case, `text` decoded and unzipped."""

    status: int
    headers: Mapping[str, str]
    text: str

    @cached_property
    def payload(self) -> Any:
        """Return the parsed body, or None where it is not JSON: the edge answers in HTML, or with nothing."""
        try:
            return decode(self.text)
        except ValueError:
            return None

    def header(self, name: str) -> str:
        """Return a header, or an empty string."""
        return next((value for key, value in self.headers.items() if key.lower() == name), "")


def classify(answer: Answer, *, expects: tuple[str, ...] = ()) -> dict[str, Any] | ZuoraError:
    """Return the success as a dict, or what went wrong; `expects` are the members of which one must be there."""
    if error := failure(answer):
        return error
    payload = answer.payload
    if not isinstance(payload, dict):
        return _unexpected(answer, f"an object expected, {type(payload).__name__} received")
    if expects and all(payload.get(name) in (None, "") for name in expects):
        return _unexpected(answer, f"Zuora reports success without {' or '.join(expects)}")
    return payload


def classify_rows(answer: Answer, *, count: int) -> list[dict[str, Any]] | ZuoraError:
    """Return the results of an action in request order, one per object, each a success or a failure of its own."""
    if error := failure(answer):
        return error
    rows = answer.payload
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(row, dict) for row in rows):
        return _unexpected(answer, f"a list of {count} results expected")
    return rows


def row_failure(row: Mapping[str, Any]) -> ZuoraError | None:
    """Return what went wrong with one object of an action, or None when it succeeded."""
    if row.get("Success") is True or row.get("success") is True:
        return None if row.get("Id") or row.get("id") else _unexpected(Answer(200, {}, str(dict(row))), "no Id")
    answer, reasons = Answer(200, {}, ""), reasons_of(row)
    return _by_reasons(answer, reasons) or _plain(Rejected, answer, reasons)


def failure(answer: Answer) -> ZuoraError | None:
    """Return what went wrong, or None for a JSON answer that claims success."""
    status, payload = answer.status, answer.payload
    if 300 <= status < 400:  # noqa: PLR2004
        target = answer.header("location") or "nowhere"
        return Redirected(
            f"The host redirects to {target}. Redirects are not followed: check the tenant URL.", **facts(answer)
        )
    denied = isinstance(payload, dict) and any(payload.get(flag, True) is not True for flag in ("success", "Success"))
    reasons = reasons_of(payload)
    if 200 <= status < 300:  # noqa: PLR2004
        claims = isinstance(payload, dict) and bool({"success", "Success"} & payload.keys())
        if denied or (not claims and _worded(payload)):
            return _by_reasons(answer, reasons) or _plain(Rejected, answer, reasons)
        return None if isinstance(payload, dict | list) else _unexpected(answer, "no JSON")
    if status == 401:  # noqa: PLR2004
        return _plain(Unauthorized, answer, reasons)
    if status == 429:  # noqa: PLR2004
        return _plain(LimitExceeded, answer, reasons)
    return _by_reasons(answer, reasons) or _by_status(answer, reasons, enveloped=denied or _worded(payload))


def reasons_of(payload: object) -> tuple[Reason, ...]:
    """Return the reasons of a failure in whichever of Zuora's shapes they come."""
    if not isinstance(payload, Mapping):
        return ()
    rows = payload.get("reasons") or payload.get("Errors") or payload.get("errors")
    if isinstance(rows, Mapping):
        rows = [rows]
    if isinstance(rows, list):
        return tuple(_reason(row) for row in rows)
    if "faultcode" in payload:  # Actions: a fault of the whole call
        code = str(payload["faultcode"]).rpartition(":")[2]
        return (Reason(code, str(payload.get("faultstring") or "")),)
    return (_reason(payload),) if "message" in payload and "data" not in payload else ()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After asks for, at most a day, or None; a date counts from the answer's own."""
    fields = {name.lower(): value for name, value in headers.items()}
    value = fields.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(fields.get("date", ""))).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _DAY) if math.isfinite(seconds) else None


def facts(answer: Answer) -> dict[str, Any]:
    """Return what any error about this answer carries: status, request id, retry-after."""
    body = answer.payload if isinstance(answer.payload, dict) else {}
    return {
        "status": answer.status,
        "request_id": answer.header("zuora-request-id") or str(body.get("requestId") or body.get("processId") or ""),
        "retry_after": retry_after(answer.headers),
    }


def _reason(row: object) -> Reason:
    if not isinstance(row, Mapping):
        return Reason("", str(row)[:_SHOWN])
    fields = {str(key).lower(): value for key, value in row.items()}
    code = fields.get("code")
    return Reason("" if code is None else str(code).strip(), str(fields.get("message") or "").strip())


def _by_reasons(answer: Answer, reasons: tuple[Reason, ...]) -> ZuoraError | None:
    verdicts = [verdict for reason in reasons if (verdict := _verdict(reason))]
    if not verdicts:
        return None
    decisive = min((cls for cls, _ in verdicts), key=_GRAVITY.index)
    kinds = {kind for cls, kind in verdicts if cls is decisive}
    return _plain(decisive, answer, reasons, kind=Kind.BUG if Kind.BUG in kinds else None)


def _verdict(reason: Reason) -> tuple[type[ZuoraError], Kind] | None:
    if reason.category == "21" and "__c" in reason.message:
        return Rejected, Kind.PERMANENT  # a custom field that the tenant does not have: a person adds it
    if reason.category:
        return _CATEGORIES.get(reason.category, (Rejected, Kind.PERMANENT))
    if reason.code == "BATCH_FAIL_ERROR":
        text = reason.message.lower()
        locked = "optimistic locking failed" in text or "lock competition" in text
        return (Locked, Kind.TRANSIENT) if locked else (Rejected, Kind.PERMANENT)
    known = reason.code.isupper() and "_" in reason.code
    return _WORDS.get(reason.code, (Rejected, Kind.PERMANENT)) if known else None


def _by_status(answer: Answer, reasons: tuple[Reason, ...], *, enveloped: bool) -> ZuoraError:
    status, text = answer.status, answer.text.lower()
    if status >= 500 or status == 408:  # noqa: PLR2004
        down = status in {502, 503}  # a gateway without its server; 500 and 504 may be this one request's doing
        return _plain(
            Unavailable,
            answer,
            reasons,
            outcome=Outcome.RECEIVED if enveloped else Outcome.UNKNOWN,
            scope=Scope.CONNECTION if down else Scope.ENTITY,
        )
    if answer.payload is None and status not in _OUR_FORM and status != 409:  # noqa: PLR2004
        return _unexpected(answer, "no JSON")
    cls = _STATUSES.get(status, Rejected)
    if cls is NotFound and "no route matched" in text:
        cls = Rejected  # a path that the host does not serve says nothing of an object
    bug = status in _OUR_FORM or "unrecognised fields" in text or "not supported with idempotency-key" in text
    outcome = Outcome.UNKNOWN if cls is Conflict else Outcome.RECEIVED
    return _plain(cls, answer, reasons, kind=Kind.BUG if bug else None, outcome=outcome)


def _worded(payload: object) -> bool:
    return isinstance(payload, dict) and any(payload.get(name) for name in ("reasons", "Errors", "faultcode"))


def _plain(cls: type[ZuoraError], answer: Answer, reasons: tuple[Reason, ...], **known: Any) -> ZuoraError:
    said = "; ".join(str(reason) for reason in reasons if str(reason)) or f"HTTP {answer.status}"
    return cls(f"{_LEADS[cls]}: {said[:2_000]}", reasons=reasons, **facts(answer), **known)


def _unexpected(answer: Answer, what: str) -> UnexpectedAnswer:
    shown = " ".join(answer.text.split())[:_SHOWN] or "an empty body"
    return UnexpectedAnswer(
        f"HTTP {answer.status} with an answer that is not Zuora's ({what}): {shown}",
        outcome=Outcome.UNKNOWN,
        **facts(answer),
    )
