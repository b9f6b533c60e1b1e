"""A refusal is decided once and said in the words of the family that was asked.

Source: https://developer.zuora.com/docs/guides/error-codes/ and
https://docs.zuora.com/en/zuora-platform/integration/apis/soap-api/error-handling/errors
"""

from __future__ import annotations

from enum import Enum
from typing import Any

REAL_CODES_SINCE = 20240520.0
UNIFIED_QUERY_ERRORS_SINCE = 20250812.0


class Kind(Enum):
    """Why a request is refused: category of the v1 code, HTTP status, CRUD code, code of the events family."""

    PERMISSION = (10, 403, "NO_PERMISSION", "Forbidden")
    AUTHENTICATION = (11, 401, "INVALID_SESSION", "Unauthorized")
    INVALID_VALUE = (20, 400, "INVALID_VALUE", "InvalidValue")
    UNKNOWN_FIELD = (21, 400, "INVALID_FIELD", "UnknownField")
    QUERY_FIELD = (21, 400, "INVALID_FIELD", "UnknownQueryField")
    MISSING_FIELD = (22, 400, "MISSING_REQUIRED_VALUE", "MissingRequiredField")
    MISSING_PARAMETER = (23, 400, "MISSING_REQUIRED_VALUE", "MissingRequiredParameter")
    QUERY_PARAMETER = (27, 400, "INVALID_VALUE", "InvalidParameter")
    RULE = (30, 400, "INVALID_VALUE", "RuleViolation")
    DUPLICATE = (30, 400, "DUPLICATE_VALUE", "DuplicateValue")
    CANNOT_DELETE = (30, 400, "CANNOT_DELETE", "CannotDelete")
    NOT_FOUND = (40, 404, "INVALID_ID", "NotFound")
    METHOD = (45, 405, "API_DISABLED", "MethodNotAllowed")
    MEDIA_TYPE = (45, 415, "API_DISABLED", "UnsupportedMediaType")
    LOCKED = (50, 409, "LOCK_COMPETITION", "Locked")
    INTERNAL = (60, 500, "UNEXPECTED_ERROR", "InternalError")
    TEMPORARY = (61, 500, "TEMPORARY_ERROR", "TemporaryError")
    LIMIT = (70, 429, "REQUEST_EXCEEDED_LIMIT", "TooManyRequests")
    BAD_TYPE = (20, 400, "INVALID_TYPE", "InvalidType")
    TOO_MANY = (30, 400, "MAX_RECORDS_EXCEEDED", "TooManyRecords")
    MALFORMED = (90, 400, "MALFORMED_QUERY", "MalformedRequest")
    INTEGRATION = (99, 500, "TRANSACTION_FAILED", "IntegrationError")

    @property
    def category(self) -> int:
        return int(self.value[0])

    @property
    def status(self) -> int:
        return int(self.value[1])

    @property
    def crud_code(self) -> str:
        return str(self.value[2])

    @property
    def text_code(self) -> str:
        return str(self.value[3])


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The request is understood and refused; nothing of it is kept."""

    def __init__(
        self, kind: Kind, message: str, *, others: tuple[Refusal, ...] = (), status: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status or kind.status
        self.kind = kind
        self.message = message
        self.others = others

    @property
    def all(self) -> tuple[Refusal, ...]:
        return (self, *self.others)


def together(refusals: list[Refusal]) -> Refusal:
    """One refusal that carries several reasons, in the order found."""
    first = refusals[0]
    return Refusal(first.kind, first.message, others=tuple(refusals[1:]))


def missing(field: str) -> Refusal:
    return Refusal(Kind.MISSING_FIELD, f"Missing required value: {field}")


def invalid(message: str) -> Refusal:
    return Refusal(Kind.INVALID_VALUE, message)


def rule(message: str) -> Refusal:
    return Refusal(Kind.RULE, message)


def not_found(what: str, key: object) -> Refusal:
    return Refusal(Kind.NOT_FOUND, f"Cannot find {what} by key: '{key}'.")


def reasons(refusal: Refusal, *, resource: int, duplicate_category: int) -> list[dict[str, Any]]:
    """The v1 reasons; an 8-digit code is the resource's six digits and the two of the category."""
    found = []
    for one in refusal.all:
        category = duplicate_category if one.kind is Kind.DUPLICATE else one.kind.category
        found.append({"code": resource * 100 + category, "message": one.message})
    return found


def crud_errors(refusal: Refusal) -> list[dict[str, str]]:
    return [{"Code": one.kind.crud_code, "Message": one.message} for one in refusal.all]
