"""What can go wrong with Zuora, in one family.

    ZuoraError
    ├── NoAnswer          nothing came back: no connection, a reset, a timeout
    ├── UnexpectedAnswer  something came back that is not Zuora's answer: HTML, an empty body, a success without its id
    ├── Redirected        the host sends us elsewhere; redirects are never followed
    ├── Unauthorized      the token or the credentials are refused
    ├── Forbidden         the API user lacks a permission, or the tenant a feature
    ├── NotFound          Zuora says that there is no such object
    ├── Conflict          the same idempotency key is still being worked on
    ├── Locked            another request, the UI or a batch holds the object
    ├── LimitExceeded     too many requests: the tenant's limit, or our own budget before it
    ├── RedisAway         our own Redis, which counts the calls, does not work: Zuora was not asked
    ├── Unavailable       Zuora cannot do it at the moment
    └── Rejected          Zuora refuses what we sent

How to read one: `kind` says whether trying again can help, `outcome` what is known of the far side, `scope` whom it
concerns. An error of scope CONNECTION says nothing about the entity: its job waits until the connection works again.
"""

# ruff: noqa: N818  (each name says what happened; that it is an error is said by the family's)
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    TRANSIENT = "transient"  # the same wish may succeed later
    PERMANENT = "permanent"  # a person or a data change is needed
    BUG = "bug"  # we sent what we should never send


class Outcome(StrEnum):
    RECEIVED = "received"  # Zuora answered, and did not do it
    UNKNOWN = "unknown"  # the request left; Zuora may have done it
    NOT_SENT = "not sent"  # the request never left


class Scope(StrEnum):
    ENTITY = "entity"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of a refusal, as Zuora gave it: an 8-digit number, or a word such as LOCK_COMPETITION, or no code."""

    code: str
    message: str

    @property
    def category(self) -> str:
        """Return the last two of eight digits, or nothing.

        Source: https://developer.zuora.com/v1-api-reference/error-codes/
        """
        return self.code[-2:] if len(self.code) == 8 and self.code.isdecimal() else ""  # noqa: PLR2004  (six digits of resource, two of category)

    def __str__(self) -> str:
        return f"{self.message} ({self.code})" if self.code and self.message else self.message or self.code


class ZuoraError(Exception):
    """A call that did not succeed. Only the children are raised."""

    default_kind = Kind.TRANSIENT
    default_scope = Scope.ENTITY

    def __init__(
        self,
        message: str,
        *,
        kind: Kind | None = None,
        outcome: Outcome = Outcome.RECEIVED,
        scope: Scope | None = None,
        status: int | None = None,
        reasons: tuple[Reason, ...] = (),
        request_id: str = "",
        retry_after: float | None = None,
    ) -> None:
        """Keep what is known; `retry_after` is in seconds, `reasons` in the order in which Zuora gave them."""
        super().__init__(message)
        self.message = message
        self.kind = kind or self.default_kind
        self.outcome = outcome
        self.scope = scope or self.default_scope
        self.status = status
        self.reasons = reasons
        self.request_id = request_id
        self.retry_after = retry_after

    @property
    def category(self) -> str:
        """Return the two-digit category of the first reason that has one, or nothing."""
        return next((reason.category for reason in self.reasons if reason.category), "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, {self.kind}, {self.outcome}, {self.scope}, {self.status})"


class NoAnswer(ZuoraError):
    pass


class UnexpectedAnswer(ZuoraError):
    pass


class Redirected(ZuoraError):
    default_kind = Kind.PERMANENT
    default_scope = Scope.CONNECTION


class Unauthorized(ZuoraError):
    default_kind = Kind.PERMANENT
    default_scope = Scope.CONNECTION


class Forbidden(ZuoraError):
    default_kind = Kind.PERMANENT


class NotFound(ZuoraError):
    default_kind = Kind.PERMANENT


class Conflict(ZuoraError):
    pass


class Locked(ZuoraError):
    pass


class LimitExceeded(ZuoraError):
    default_scope = Scope.CONNECTION


class RedisAway(ZuoraError):
    default_scope = Scope.CONNECTION

    def __init__(self, said: str, *, retry_after: float) -> None:
        super().__init__(
            f"The Redis of this installation does not work for us, so Zuora was not asked ({said.rstrip('.')}).",
            outcome=Outcome.NOT_SENT,
            retry_after=retry_after,
        )


class Unavailable(ZuoraError):
    pass


class Rejected(ZuoraError):
    default_kind = Kind.PERMANENT
