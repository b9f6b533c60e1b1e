"""What Zuora holds of the usage of many subscriptions, and on which days it bills their charges; few calls for all.

Usage is read by ZOQL, because Object Query filters it neither by subscription nor by charge:
https://docs.zuora.com/en/zuora-platform/extensibility/zoql
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from integrations.zuora.client import Client, zoql_text
from integrations.zuora.mapping.usage import BILLED
from integrations.zuora.push.usage.segments import Segment, charges_of

Row = Mapping[str, Any]
T = TypeVar("T")
#: Two conditions each, of the two hundred that a query takes.
MOST_TOGETHER = 100
#: So many usage records may be held in memory at once, where it is not one subscription that has more.
_MOST_ROWS = 5_000
#: Three conditions each.
_ACCOUNTS_TOGETHER = 66
_FIELDS = "Id, Quantity, UOM, StartDateTime, Description, AccountId, SubscriptionNumber, ChargeNumber, RbeStatus"
_SLACK = timedelta(days=2)  # a record may be filed up to a day before its hour, in whichever zone


@dataclass
class Held:
    """What Zuora holds of one subscription: its usage records, with those that land on it by its account, and charges.

    Of charges there are the segments, by the charges' numbers.
    """

    rows: list[Row] = field(default_factory=list)
    charges: Mapping[str, Sequence[Segment]] = field(default_factory=dict)


def in_parts(subscriptions: Sequence[T], *, sizes: Sequence[int]) -> Iterator[list[T]]:
    """Yield as many at a time as a query takes and memory should hold; `sizes` are their usage records."""
    part: list[T] = []
    rows = 0
    for one, size in zip(subscriptions, sizes, strict=True):
        if part and (len(part) == MOST_TOGETHER or rows + size > _MOST_ROWS):
            yield part
            part, rows = [], 0
        part.append(one)
        rows += size
    if part:
        yield part


def read_held(
    client: Client, since: Mapping[str, datetime], *, accounts: Mapping[str, str] | None = None
) -> dict[str, Held]:
    """Return what Zuora holds by subscription number, from a moment on.

    One query and its pages for the usage, and one for the charges of fifty subscriptions with usage that is not billed.

    `accounts` are the subscriptions' by their ids: usage that is filed under an account alone is billed on every charge
    of the account with that unit. It is read by a query of its own.

    Raises:
        ZuoraError: Zuora could not be read.
    """
    if not since:
        return {}
    held = {number: Held() for number in since}
    for row in _rows(client, [f"SubscriptionNumber = {zoql_text(one)} and {_from(since[one])}" for one in since]):
        if row.get("SubscriptionNumber") in held:
            held[row["SubscriptionNumber"]].rows.append(row)
    of_account: dict[str, list[str]] = {}
    for number, account in (accounts or {}).items():
        of_account.setdefault(account, []).append(number)
    first = {account: min(since[one] for one in numbers) for account, numbers in of_account.items()}
    asked = [f"AccountId = {zoql_text(one)} and SubscriptionNumber = null and {_from(first[one])}" for one in first]
    for begin in range(0, len(asked), _ACCOUNTS_TOGETHER):
        for row in _rows(client, asked[begin : begin + _ACCOUNTS_TOGETHER]):
            for number in of_account.get(str(row.get("AccountId")), ()):
                held[number].rows.append(row)
    wanted = {number: _open_charges(one.rows) for number, one in held.items()}
    for number, charges in charges_of(client, {number: some for number, some in wanted.items() if some}).items():
        held[number].charges = charges
    return held


def _rows(client: Client, alternatives: Sequence[str]) -> list[dict[str, Any]]:
    return client.zoql(f"select {_FIELDS} from Usage where {' or '.join(alternatives)}")  # noqa: S608 - ZOQL, and quoted


def _from(moment: datetime) -> str:
    return f"StartDateTime >= {zoql_text((moment - _SLACK).isoformat())}"


def is_open(row: Row) -> bool:
    """Whether a usage record has still to come on an invoice; of nothing there is nothing to bill."""
    return row.get("RbeStatus") != BILLED and quantity_of(row) != 0


def quantity_of(row: Row) -> Decimal:
    """Return the quantity of a record that Zuora shows."""
    return Decimal(str(row["Quantity"]))


def _open_charges(rows: Sequence[Row]) -> set[str]:
    return {str(row["ChargeNumber"]) for row in rows if "ChargeNumber" in row and is_open(row)}
