"""Examines a tenant before we trust it with work: step by step, by calls that change nothing there."""

from collections.abc import Collection, Generator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from integrations.zuora import checks
from integrations.zuora.checks import CUSTOM_FIELDS, Outcome, Step
from integrations.zuora.client import Client

__all__ = ["CUSTOM_FIELDS", "STEPS", "Examination", "Outcome", "Step", "drained", "examination", "examine"]

T = TypeVar("T")
#: The names of the steps, in their order.
STEPS = (
    "Host",
    "Credentials",
    "Tenant",
    "Reading",
    "Clock",
    "Object Query",
    "Time zone",
    "Writing",
    "Orders",
    "Custom fields",
    "Units of measure",
)


@dataclass(frozen=True)
class Examination:
    """All steps in order, the tenant's identity, and the findings that the sync works by.

    Findings: `{"custom_fields": {"Product": [...], "Account": [...], "Subscription": [...]}, "settings_api": bool,
    "steps": [{"name", "outcome", "saw", "cure", "offer"}], "examined_at": ISO time}`.
    """

    steps: tuple[Step, ...]
    tenant_id: str
    findings: dict[str, Any]

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


def examination(
    *, client: Client, now: datetime, time_zone: str = "UTC", units: Collection[str] = ()
) -> Generator[Step, None, Examination]:
    """Try everything that the sync will need, and yield each step as it ends; nothing in the tenant is changed.

    It raises nothing of Zuora's: what goes wrong is a step's outcome. `time_zone` is the one that was chosen for it,
    `units` are the names of those in which the catalog counts.
    """
    steps: list[Step] = []
    identity = None

    def tried(step: Step) -> Step:
        steps.append(step)
        return step

    for step, entered_as in checks.enter(client):
        identity = entered_as
        yield tried(step)
    if identity is None:
        return Examination(tuple(steps), "", {})
    reading, answered_at = checks.reading(client)
    yield tried(reading)
    yield tried(checks.clock(answered_at, now) if reading.ok else checks.skipped("Clock"))
    object_query, account = checks.object_query(client)
    yield tried(object_query)
    yield tried(checks.time_zone(account, time_zone) if object_query.ok else checks.skipped("Time zone"))
    writing = checks.writing(client)
    yield tried(writing)
    # Zuora refuses an order of whoever may not write as it refuses one in a tenant without Orders.
    yield tried(checks.orders(client, now) if writing.ok else checks.skipped("Orders"))
    fields_step, custom_fields = checks.custom_fields(client)
    yield tried(fields_step)
    units_step, settings_api = checks.units(client, units)
    yield tried(units_step)
    findings = {
        "custom_fields": custom_fields,
        "settings_api": settings_api,
        "steps": [asdict(step) for step in steps],
        "examined_at": now.isoformat(),
    }
    return Examination(tuple(steps), identity.tenant, findings)


def examine(*, client: Client, now: datetime, time_zone: str = "UTC", units: Collection[str] = ()) -> Examination:
    """Make the whole examination at once."""
    return drained(examination(client=client, now=now, time_zone=time_zone, units=units))


def drained(work: Generator[Step, None, T]) -> T:
    """Let the work go through all of its steps, and return what it comes to."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return cast("T", end.value)
