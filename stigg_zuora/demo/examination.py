"""`make demo ONCE=1`: waits until nothing moves any more, reads the far side back, and compares."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Q

from integrations.links import link_into_tenant
from integrations.models import JobState, SyncJob, SyncRecord, SyncStatus
from stigg_zuora.demo import usage
from stigg_zuora.demo.expectation import Expected, Tree, expect
from stigg_zuora.demo.processes import Processes
from stigg_zuora.demo.surroundings import Surroundings

SETTLE_SECONDS = 180.0
QUIET_SECONDS = 0.5
SIDES = ("expected", "Zuora holds")


def examine(
    processes: Processes,
    surroundings: Surroundings,
    *,
    read: Callable[[str], dict[str, Tree]],
    calls_before: int,
    began: float,
) -> int:
    """Print what was synced, every difference, calls and seconds; return 0 when there is no difference, else 1."""
    processes.say("demo", "Waiting until every job is settled ...")
    unsettled = wait_until_settled(processes)
    usage.push(processes)
    seconds = time.monotonic() - began
    calls = calls_to(surroundings.zuora_address) - calls_before  # what reads back below is not counted
    expected = expect(public_url=surroundings.address)
    found = [
        *(f"{job.key} has not settled: {job.reason or job.get_state_display()}" for job in unsettled),
        *usage.unsettled(),
        *differences(expected.held, read(surroundings.zuora_address)),
        *status_differences(expected),
    ]
    processes.say(
        "demo", "\n" + "\n".join([*table(), "", *_waiting(), f"{calls} calls to Zuora, {seconds:.1f} seconds."])
    )
    if found:
        processes.say("demo", "\n".join(["", f"Zuora does not hold what it should ({len(found)}):", *found]))
        return 1
    processes.say("demo", "Zuora holds exactly what it should.")
    return 0


def wait_until_settled(processes: Processes) -> list[SyncJob]:
    """Return the jobs that are still under way when the patience ends: none, as a rule.

    A job that waits for something that failed or will not be synced is settled: it goes on when a person changes that.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    quiet_since = time.monotonic()
    while time.monotonic() < deadline:
        processes.check()
        moving = _moving()
        if moving:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > QUIET_SECONDS:
            return []
        time.sleep(0.1)
    return _moving()


def _moving() -> list[SyncJob]:
    open_keys = set(SyncJob.objects.open().filter(waiting_for="").values_list("key", flat=True))
    final = Q(status__in=[SyncStatus.ERROR, SyncStatus.NO_SYNC_REQUIRED])
    given_up = set(SyncRecord.objects.roots().filter(final).values_list("key", flat=True)) - open_keys
    return [job for job in SyncJob.objects.open() if not job.waiting_for or job.waiting_for not in given_up]


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield every place where two trees differ, with both values."""
    if not (isinstance(expected, dict) and isinstance(found, dict)):
        if expected != found:
            yield f"{path}: {SIDES[0]} {expected!r}, {SIDES[1]} {found!r}"
        return
    for name in sorted({*expected, *found}):
        here = f"{path} > {name}" if path else name
        if name not in found:
            yield f"{here}: missing in Zuora, {SIDES[0]} {expected[name]!r}"
        elif name not in expected:
            yield f"{here}: nothing should be there, {SIDES[1]} {found[name]!r}"
        else:
            yield from differences(expected[name], found[name], here)


def status_differences(expected: Expected) -> Iterator[str]:
    """Yield the entities whose shown status is not what it should be."""
    for record in SyncRecord.objects.roots():
        if record.key in expected.failing:
            if record.status != SyncStatus.ERROR or expected.failing[record.key] not in record.error:
                yield f"{record.key}: should have failed with '{expected.failing[record.key]}': {_told(record)}"
        elif record.key in expected.left_out:
            if record.status != SyncStatus.NO_SYNC_REQUIRED:
                yield f"{record.key}: should not be synced: {_told(record)}"
        elif record.key in expected.waiting:
            if record.status != SyncStatus.PENDING:
                yield f"{record.key}: should wait: {_told(record)}"
        elif record.status != SyncStatus.SUCCESS:
            yield f"{record.key}: should be synced: {_told(record)}"


def table() -> list[str]:
    """Return the lines of the table: entity, Stigg id, status, billing ID, link."""
    rows = [("entity", "Stigg id", "status", "billing ID", "link")]
    for record in SyncRecord.objects.roots().select_related("connection"):
        _, _, ref_id = record.key.partition(":")
        billing_id = record.zuora_number or record.zuora_id
        status = record.get_status_display()
        rows.append((record.get_kind_display(), ref_id, status, billing_id, link_into_tenant(record)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [_line(row, widths) for row in rows]


def _line(row: Iterable[str], widths: list[int]) -> str:
    *cells, last = row
    return "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]).rstrip()


def _waiting() -> list[str]:
    jobs = SyncJob.objects.filter(state__in=[JobState.WAITING, JobState.FAILED]).order_by("key")
    return [f"{job.key} ({job.get_state_display().lower()}): {job.reason}" for job in jobs]


def _told(record: SyncRecord) -> str:
    return f"it is {record.get_status_display()}. {record.error}".strip()


def calls_to(zuora_address: str) -> int:
    """Return how many requests the stand-in has answered since it started."""
    with urllib.request.urlopen(f"{zuora_address}/standin/counts", timeout=30) as answer:  # noqa: S310 - our own
        counts = json.load(answer)
    return sum(one["count"] for one in counts["requests"])
