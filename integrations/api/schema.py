"""The words of the JSON that comes and goes: what a text, a number, a time and a page are.

What comes in is read strictly: nothing is turned from one type into another, and a name that is not known is refused,
because what an application believes to have set must not be dropped. Numbers with a point are decimals from the first
byte on (`shapes.load`), and never pass through a float.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from catalog.models.reference import REF_ID_PATTERN
from integrations.api.errors import bad_input, not_built
from integrations.models import SyncStatus
from usage.checking import is_storable

T = TypeVar("T")

#: Whole currency units, as in Stigg: 13 digits before the point and 9 after it.
_MONEY_DIGITS = (13, 9)
#: The largest whole number that every database of ours holds in the columns that take one.
_LARGEST = 2**31 - 1


class Input(BaseModel):
    """What an application sends.

    `NOT_BUILT` names what Stigg takes and we have no place for, `IMMUTABLE` what cannot be changed, each with a
    sentence.
    """

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    NOT_BUILT: ClassVar[dict[str, str]] = {}
    IMMUTABLE: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_would_be_dropped(cls, read: Any) -> Any:
        """Refuse what has no place; empty, it asks for nothing, and nothing is dropped."""
        if not isinstance(read, dict):
            return read
        for name, sentence in cls.IMMUTABLE.items():
            if name in read:
                raise bad_input(f"{name}: {sentence}")
        for name, sentence in cls.NOT_BUILT.items():
            if read.get(name) not in (None, [], {}):
                raise not_built(f"{name}: {sentence}")
        return {name: value for name, value in read.items() if name not in cls.NOT_BUILT}

    def given(self) -> dict[str, Any]:
        """Return what was sent, by our own names: what was left out stays as it is, and null clears."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Output(BaseModel):
    """What an application is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("it has characters that no database holds (NUL, or half of a surrogate pair)")
    return text


def _ref_id(text: str) -> str:
    if not re.fullmatch(REF_ID_PATTERN, text):
        raise ValueError("it begins with a letter or a digit, and holds only letters, digits and . _ - : @ | +")
    return text


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("it is no number")  # noqa: TRY004 - pydantic tells a ValueError to whoever asked
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{number} is not a number that can be counted: send a finite one")
    before, after = _MONEY_DIGITS
    if number and number.adjusted() >= before:
        raise ValueError(f"it has more than {before} digits before the point")
    if number != round(number, after):
        raise ValueError(f"it has more than {after} digits after the point")
    return number


def _whole(value: Any) -> int:
    """Return a whole number, also from 10.0: the SDK types some counts as floats."""
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value) if value.adjusted() < 20 else _LARGEST + 1  # noqa: PLR2004 - no column is as large
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("it is no whole number")  # noqa: TRY004 - as above
    if abs(value) > _LARGEST:
        raise ValueError(f"{_LARGEST} is the most")
    return value


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("it is no text")  # noqa: TRY004 - as above
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.utcoffset() is None:
        raise ValueError(f"it is no time in ISO 8601 with an offset, for example 2026-03-10T12:00:00Z: {value[:40]!r}")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no calendar goes as far") from error


Text = Annotated[str, StringConstraints(max_length=255), AfterValidator(_storable)]
LongText = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_storable)]
RefId = Annotated[
    str,
    StringConstraints(max_length=255),
    AfterValidator(_ref_id),
    WithJsonSchema({"type": "string", "maxLength": 255, "pattern": REF_ID_PATTERN}),
]
Metadata = Annotated[dict[Name, LongText], Field(max_length=200)]
Flag = StrictBool
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
#: Money, and what else is counted with a point.
Number = Annotated[Decimal, BeforeValidator(_decimal), WithJsonSchema({"type": "number"})]
Positive = Annotated[
    Decimal, BeforeValidator(_decimal), Field(gt=0), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]
Percent = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    Field(gt=0, le=100),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
]
NotNegative = Annotated[
    Decimal, BeforeValidator(_decimal), Field(ge=0), WithJsonSchema({"type": "number", "minimum": 0})
]
Count = Annotated[
    int,
    BeforeValidator(_whole),
    Field(ge=1),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _LARGEST}),
]
CountOrZero = Annotated[
    int,
    BeforeValidator(_whole),
    Field(ge=0),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": _LARGEST}),
]


# --- In addresses ---------------------------------------------------------------------------------------------------


def _of_text(read: Callable[[str], Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: read(value) if isinstance(value, str) else value)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):  # noqa: PLR2004 - Stigg's
        raise ValueError("it is a whole number from 1 to 100")
    return int(text)


def _cursor(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):  # noqa: PLR2004 - the digits of a row's number
        raise ValueError("it is no cursor: send the next or prev of a page's pagination")
    return text


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("it is true or false")
    return text == "true"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):  # noqa: PLR2004 - fits any column
        raise ValueError("it is a whole number from 1")
    return int(text)


QueryCount = Annotated[int, _of_text(_count), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 999_999_999})]
CommaList = Annotated[list[T], _of_text(lambda text: text.split(",")), Field(min_length=1)]
QueryFlag = Annotated[bool, _of_text(_truth)]
Limit = Annotated[int, _of_text(_limit), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100})]
Cursor = Annotated[
    str,
    AfterValidator(_cursor),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 19, "pattern": "^[0-9]+$"}),
]


class Paging(Input):
    """How every list is read, page by page: `after` or `before` a cursor, `limit` at a time."""

    limit: Limit = 20
    after: Cursor | None = None
    before: Cursor | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Paging":
        if self.after and self.before:
            raise ValueError("send after or before, not both")
        return self


class ByCreation(Paging):
    """A list that is filtered by when its rows were made: `createdAt[gte]=2026-03-01T00:00:00Z`."""

    created_gt: Moment | None = Field(None, alias="createdAt[gt]")
    created_gte: Moment | None = Field(None, alias="createdAt[gte]")
    created_lt: Moment | None = Field(None, alias="createdAt[lt]")
    created_lte: Moment | None = Field(None, alias="createdAt[lte]")

    def conditions(self) -> dict[str, Any]:
        """Return them as conditions of a queryset."""
        edges = {
            "created_at__gt": self.created_gt,
            "created_at__gte": self.created_gte,
            "created_at__lt": self.created_lt,
            "created_at__lte": self.created_lte,
        }
        return {name: at for name, at in edges.items() if at is not None}


# --- In answers -----------------------------------------------------------------------------------------------------


class Data(Output, Generic[T]):
    """One thing."""

    data: T


class Pagination(Output):
    """The cursors of the pages beside this one; null where there is none."""

    next: str | None
    prev: str | None


class Page(Output, Generic[T]):
    """A page of a list."""

    data: Sequence[T]
    pagination: Pagination


class Problem(Output):
    """One thing that is wrong with a request: of a batch by its index, of a body by its path."""

    index: int | None = None
    path: str | None = None
    code: str
    message: str


class Error(Output):
    """Why it was not done, and what to change. The trace id stands in our log, too."""

    message: str
    code: str
    trace_id: str
    errors: list[Problem] | None = None


class SyncState(Output):
    """Where it stands in the billing system (Stigg's `SyncState`)."""

    vendor_identifier: Literal["ZUORA"] = "ZUORA"
    status: SyncStatus
    synced_entity_id: str | None
    error: str | None
