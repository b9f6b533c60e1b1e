"""Hours of usage that are not counted although their time has come: which they are, and why."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet

from usage.counting import Source, used
from usage.meters import DIGITS_BEFORE
from usage.models import DirtyHour, Meter
from usage.windows import HOUR, Window

#: By then two hourly runs have come by.
_RUNS = timedelta(hours=2)
_LARGEST = Decimal(10) ** DIGITS_BEFORE
TOO_MUCH = (
    f"they come to more than {DIGITS_BEFORE} digits, which nobody bills. Find the event that is wrong and take it back "
    "by a DELTA below zero at the same time: the next hourly run counts the hour, and sends it."
)
NEXT_RUN = "the next hourly run closes them."
NO_RUN = "no hourly run has counted them. Look whether the beat and a worker run, and what their log says."


def overdue(*, now: datetime) -> QuerySet[DirtyHour]:
    """Return the hours that the hourly runs have left: what was told of them is in no slice."""
    return DirtyHour.objects.filter(hour__lt=now - _RUNS - HOUR, since__lt=now - _RUNS).order_by("hour", "pk")


def why_not_counted(one: DirtyHour, *, now: datetime) -> str:
    """Return why an hour's events are not in slices, and what to do, as the end of a sentence."""
    source = Source(
        one.customer_id, one.feature_id, one.resource_id, Meter.objects.filter(feature=one.feature_id).first()
    )
    if abs(used(source, Window(one.hour, one.hour + HOUR)).change) >= _LARGEST:
        return TOO_MUCH
    return NO_RUN if one.hour < now - _RUNS - HOUR and one.since < now - _RUNS else NEXT_RUN
