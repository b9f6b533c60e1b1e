"""Two days of made-up usage of the subscriptions that are paid as they use, told as an application tells it.

Apart from the rest of the data: whoever reports it by another door changes `report` alone.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from integrations.models import UsageRecord, UsageState
from stigg_zuora.celery import app
from stigg_zuora.demo.processes import Processes
from usage.models import DirtyHour, UsageEvent
from usage.reporting import UsageReport, report_usage

HOURS = 48
SETTLE_SECONDS = 120.0
_ASK_SECONDS = 1.0


@dataclass(frozen=True)
class Used:
    """Who uses what: a customer, a feature, the subscription that is charged for it, and how much an hour at most."""

    customer: str
    feature: str
    subscription: str
    most: int
    resource: str = ""


USED = (
    Used("iris-telecom", "dust-credit", "iris-telecom-business", 160),
    Used("juniper-games", "typebot-chat", "juniper-games-pro", 90),
)


def is_reported() -> bool:
    return UsageEvent.objects.exists()


def report(*, now: datetime) -> None:
    """Report what was used in the last 48 full hours, two events an hour: by day more than by night."""
    for used in USED:
        report_usage(reports=dict(enumerate(_events(used, now))), now=now)


def _events(used: Used, now: datetime) -> Iterator[UsageReport]:
    end = now.replace(minute=0, second=0, microsecond=0)
    for back in range(HOURS, 0, -1):
        hour = end - timedelta(hours=back)
        busy = 1 if 7 <= hour.hour <= 20 else 4  # noqa: PLR2004 - the working day
        for part in range(2):
            yield UsageReport(
                customer=used.customer,
                feature=used.feature,
                value=Decimal((back * 37 + part * 11) % used.most + 1) / busy,
                resource=used.resource,
                key=f"demo-{used.subscription}-{hour:%Y%m%d%H}-{part}",
                at=hour + timedelta(minutes=10 + 30 * part),
            )


def push(processes: Processes) -> None:
    """Have the hours counted and sent now, not a few minutes past the hour, and wait until it was all read back."""
    app.send_task("integrations.usage_hourly", queue="usage")
    deadline = time.monotonic() + SETTLE_SECONDS
    asked = time.monotonic()
    while time.monotonic() < deadline and _is_moving():
        processes.check()
        if time.monotonic() - asked > _ASK_SECONDS:
            asked = time.monotonic()
            app.send_task("integrations.usage_sweep", queue="usage")
        time.sleep(0.1)


def unsettled() -> list[str]:
    """Return a line for each hour that is not counted, and each record that was not read back."""
    hours = [f"usage of {one} is not counted" for one in _hours()]
    records = UsageRecord.objects.exclude(state=UsageState.CONFIRMED)
    return hours + [f"{one.external_key} is {one.get_state_display().lower()}: {one.reason}" for one in records]


def _hours() -> list[DirtyHour]:
    return list(DirtyHour.objects.all())


def _is_moving() -> bool:
    return bool(_hours()) or len(USED) * HOURS > UsageRecord.objects.filter(state=UsageState.CONFIRMED).count()
