"""Usage as Zuora's usage records: their keys, their times, their bodies, and how what was billed wrong is made up for.

Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTUsage/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from integrations.zuora.mapping.keys import readable_key
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.refusal import exact_number
from integrations.zuora.mapping.tenant import Tenant

#: What Description holds.
KEY_LIMIT = 200
#: The RbeStatus of what is on an invoice: https://docs.zuora.com/en/zuora-platform/integration/apis/soap-api
BILLED = "Processed"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Filed:
    """Under what a record is filed: all four always, because Zuora spreads what names less over several charges."""

    account: str
    subscription: str
    charge: str
    unit: str


def slice_key(subscription_ref: str, charge_key: str, starts_at: datetime, *, prefix: str) -> str:
    """Return a record's external key: `stigg--s1--plan--pro--api-calls--20260310t100000z`.

    A change inside a second cuts it: what begins there has the parts of the second, too, `20260310t100000-500000z`.
    """
    moment = starts_at.astimezone(UTC)
    parts = f"-{moment:%f}" if moment.microsecond else ""
    return _key(subscription_ref, charge_key, f"{moment:%Y%m%dt%H%M%S}{parts}z", prefix=prefix)


def correction_key(subscription_ref: str, charge_key: str, sequence: int, *, prefix: str) -> str:
    """Return the external key of a charge's correction, the n-th of its subscription.

    A charge's key would not do: that of a plan's month and that of its year look alike here.
    """
    return _key(subscription_ref, charge_key, f"correction-{sequence}", prefix=prefix)


def _key(subscription_ref: str, charge_key: str, ending: str, *, prefix: str) -> str:
    kind, _, rest = charge_key.partition(":")
    owner, *_, feature = rest.split("/")
    return readable_key(prefix, subscription_ref, kind, owner, feature, ending, limit=KEY_LIMIT)


def moment_that_is_billed(moment: datetime, *, first: date, end: date | None, tenant: Tenant) -> datetime | None:
    """Return the time to file usage under, or None where Zuora bills no day of the charge.

    Zuora's charges run for whole days of the tenant: from `first` up to, and without, `end`. So the usage of the last
    day's hours before a subscription ends is filed under the last second that is billed, and usage of the first day
    under its beginning where an order was late.
    """
    low = _midnight(first, tenant)
    if end is None:
        return max(moment, low)
    last = _midnight(end, tenant) - timedelta(seconds=1)
    return None if last < low else min(max(moment, low), last)


def usage_object(filed: Filed, *, key: str, starts_at: datetime, quantity: Decimal) -> Body:
    """Return a record for an Action that creates."""
    return {
        "AccountNumber": filed.account,
        "SubscriptionNumber": filed.subscription,
        "ChargeNumber": filed.charge,
        "UOM": filed.unit,
        "Quantity": exact_number(quantity),
        "StartDateTime": _text(starts_at),
        "Description": key,
    }


def usage_change(zuora_id: str, *, starts_at: datetime, quantity: Decimal) -> Body:
    """Return a record for an Action that updates: absolute, so that it may arrive twice."""
    return {"Id": zuora_id, "Quantity": exact_number(quantity), "StartDateTime": _text(starts_at)}


def same_moment(text: object, moment: datetime) -> bool:
    """Whether a StartDateTime that Zuora shows, in the tenant's zone with its offset, is this moment."""
    try:
        shown = datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return shown.tzinfo is None or shown == moment


@dataclass(frozen=True, slots=True)
class Open:
    """A record that is not billed yet: what its slice used, and what it gives already."""

    pk: int
    quantity: Decimal
    taken: Decimal


@dataclass(frozen=True)
class Shares:
    """How it is made up: by an addition, or by what each open record gives; `left` is what none of them could give."""

    addition: Decimal
    taken: Mapping[int, Decimal]
    left: Decimal


def share_out(owed: Decimal, records: Iterable[Open]) -> Shares:
    """Share out what the billed records of a charge owe: above zero it is added, below zero taken from open ones.

    Records that give already go on giving, so that nothing is sent anew without need; then the first ones named give.
    Zuora takes no quantity below zero, so no record gives more than it has.
    """
    need = max(-owed, ZERO)
    taken: dict[int, Decimal] = {}
    rows = list(records)
    for row in rows:
        taken[row.pk] = min(row.taken, row.quantity, need)
        need -= taken[row.pk]
    for row in rows:
        more = min(row.quantity - taken[row.pk], need)
        taken[row.pk] += more
        need -= more
    return Shares(addition=max(owed, ZERO), taken=taken, left=need)


def _midnight(day: date, tenant: Tenant) -> datetime:
    return datetime.combine(day, time(), tzinfo=tenant.time_zone).astimezone(UTC)


def _text(moment: datetime) -> str:
    """Return the moment with its offset: without one Zuora takes it for the tenant's own time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
