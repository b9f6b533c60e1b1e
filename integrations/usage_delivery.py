"""Runs of usage: close the hours, plan, send, confirm. Where the ledger, the breaker and the client meet.

Large pushes go by Actions as small ones do, or in files where `zuora.push.usage.road` finds those cheaper: only where
the settings allow them, for many new records, and where Zuora's calls of a day are scarce. What cannot wait for an
import (a click, the last push before a connection ends, another attempt) goes by Actions.
"""

import threading
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import structlog
from django.db import DataError, IntegrityError
from django.db.models import Exists, OuterRef

from integrations import request_log
from integrations.breaker import give_back, may_send, note_error, note_success
from integrations.models import Connection, SyncRecord, UsageBatch, UsageCharge, UsageRecord
from integrations.usage_waiting import in_zuora, not_arrived
from integrations.words import in_words
from integrations.zuora import leases
from integrations.zuora.client import Client, Exchange
from integrations.zuora.client.actions import MOST_OBJECTS
from integrations.zuora.errors import Scope, ZuoraError
from integrations.zuora.push import usage as push
from integrations.zuora.push.far import Far
from integrations.zuora.tenant import file_road_of, tenant_of
from subscriptions.models import Subscription
from subscriptions.taking_effect import take_effect
from usage.closing import Closed, close
from usage.models import Slice
from usage.spans import among

log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]
Open = Callable[[Connection], Client]
#: So many subscriptions to a task, planned together: some calls where each has one new record, because their
#: statements cost more than the call. Tasks run beside each other, as far as the tenant grants calls.
CHUNK = 10 * MOST_OBJECTS
#: What is found to be billed is made up for in another round; more wait for the next sweep.
_ROUNDS = 6
#: A process plans for one task at a time: it is work, not waiting, and would only keep the others' answers waiting.
_planning = threading.Lock()
#: Seconds for which nothing is planned while calls wait: what is planned would wait, too.
_WAY_SECONDS = 1.0
#: What comes of rows that contradict each other; whose they are waits, and the others need not.
_WRONG_ROWS = (IntegrityError, DataError, ArithmeticError, LookupError, ValueError)
#: A large push plans for some minutes before it forms its files, and longer than this it never does.
_UNTIL_FILED = timedelta(minutes=10)
#: While it plans, something new is planned every few seconds: a push that is silent for so long has died, and what it
#: left goes by Actions.
_SILENCE = timedelta(minutes=1)


def run_hour(*, now: datetime, ring: Callable[[list[int]], None]) -> None:
    """Close every full hour, and ring for all whose usage is to be pushed, some subscriptions to a ring.

    Those whose hours are closed are rung for while others' are still being closed. What goes in a file goes in one
    task, so where files are allowed all is closed first.
    """
    connection = Connection.objects.active().first()
    rung, waiting = set[int](), list[int]()

    def ring_for(changed: set[int]) -> None:
        linked = in_zuora(connection).filter(root_id__in=among(changed.difference(waiting)))
        waiting.extend(linked.order_by("root_id").values_list("root_id", flat=True))
        rung.difference_update(waiting)
        # The first go in rings of one call each, so that all workers begin at once, and none waits for many others.
        while len(waiting) >= (size := min(max(len(rung) // 2 // MOST_OBJECTS, 1) * MOST_OBJECTS, CHUNK)):
            ring(waiting[:size])
            rung.update(waiting[:size])
            del waiting[:size]

    if connection is None or file_road_of(connection) is not None:
        close_hours(now=now)
    else:
        close_hours(now=now, on_closed=ring_for)
    for subscription_ids in to_push(connection=connection, but=rung) if connection else ():
        ring(subscription_ids)


def close_hours(*, now: datetime, on_closed: Callable[[set[int]], None] = lambda _: None) -> Closed:
    """Turn every full hour with new events into slices, also when no tenant is connected.

    What was to change in that time changes first, as of its own moment. `on_closed` as in `usage.closing.close`.
    """
    take_effect(now=now)
    connection = Connection.objects.active().first()
    zone = tenant_of(connection).time_zone if connection else UTC
    return close(upto=now.replace(minute=0, second=0, microsecond=0), now=now, zone=zone, on_closed=on_closed)


def to_push(*, connection: Connection, but: Collection[int] = ()) -> Iterator[list[int]]:
    """Yield, in chunks, the ids of the subscriptions in Zuora whose usage differs from what is planned.

    What goes in a file goes in one task.
    """
    slices = Slice.objects.untaken().filter(Exists(in_zuora(connection).filter(root_id=OuterRef("subscription_id"))))
    ids = set(slices.order_by().values_list("subscription_id", flat=True).distinct())
    charges = UsageCharge.objects.filter(connection=connection, must_plan=True).order_by()
    ids |= set(charges.values_list("subscription_id", flat=True))
    ids.difference_update(but)
    files = file_road_of(connection)
    in_files = files is not None and push.road_of(slices.count(), files) is push.Road.FILE
    yield from push.in_parts(sorted(ids), push.MOST_ROWS if in_files else CHUNK)


def push_usage(
    *,
    connection: Connection,
    subscription_ids: Collection[int],
    worker: str,
    clock: Clock,
    open_client: Open,
    may_wait: bool = True,
) -> bool:
    """Plan and send the usage of some subscriptions; return whether that of others may go now, or would fail as well.

    What fails is swept up later.

    `may_wait`: that Zuora has it only some minutes later is no harm, so a file may carry it.
    """
    files = file_road_of(connection) if may_wait else None
    if not may_send(connection, now=clock()):
        return False
    probe_until, may_go_on = connection.paused_until, False
    with _far(connection, clock, open_client) as far, _noting(connection, clock):
        batches = list(_planned(far, files, subscription_ids, is_first=True))
        for _ in range(_ROUNDS):
            # What fills no call is looked for when the full ones are gone: of many that were used there is none.
            batches = batches or [*_formed(far, files, subscription_ids)]
            if not batches:
                break
            _send_all(far, batches, worker)
            if push.must_plan(connection=connection, subscription_ids=subscription_ids):
                batches = list(_planned(far, files, subscription_ids))
            elif push.has_due(connection=connection, subscription_ids=subscription_ids, now=clock()):
                batches = []
            else:
                break
        may_go_on = True
    # While the tenant is down, who asked it nothing makes room for another probe.
    give_back(connection, probe_until=probe_until, now=clock())
    return may_go_on


def sweep_usage(*, connection: Connection, worker: str, clock: Clock, open_client: Open, may_wait: bool = True) -> None:
    """Send what waits for another attempt, find out what became of what left, and read back what was accepted.

    `may_wait`: what was planned just now is left to a push that may put it in a file.
    """
    push.release_stuck(connection=connection, now=clock())
    now = clock()
    push.form(connection=connection, now=now, planned_before=_left_before(connection, now) if may_wait else None)
    batches = push.due(connection=connection, now=clock())
    with _far(connection, clock, open_client) as far:
        with _noting(connection, clock):
            _send_all(far, batches, worker)
        accepted = UsageRecord.objects.to_confirm(now=clock()).filter(connection=connection)
        if accepted.exists() and may_send(connection, now=clock()):
            with _noting(connection, clock):
                push.confirm(far)
                note_success(connection)


def _left_before(connection: Connection, now: datetime) -> datetime | None:
    """Return since when something must have been planned that no push will put into a file any more; None: ever.

    Also where nothing is seen to be planned: a push may store what it has planned in the next moment.
    """
    if file_road_of(connection) is None:
        return None
    fresh = UsageRecord.objects.due(now=now).filter(connection=connection, revision=0)
    is_planning = fresh.filter(not_before__gt=now - _SILENCE).exists()
    return now - (_UNTIL_FILED if is_planning else _SILENCE)


def push_one(*, connection: Connection, subscription: Subscription, clock: Clock, open_client: Open) -> str:
    """Send one subscription's usage up to now, and read it back; return why not all of it went, or nothing."""
    with _far(connection, clock, open_client, priority=leases.Priority.CLICK) as far:
        try:
            push.flush(far, subscription)
            push.confirm(far, subscription_ids=[subscription.pk])
        except ZuoraError as error:
            note_error(connection, error, now=clock())
            return in_words(error).text
    note_success(connection)
    return ""


def push_last(*, connection: Connection, worker: str, clock: Clock, open_client: Open) -> int:
    """Send all usage up to now, the running hour included; return how much is not in Zuora after that, in records."""
    now = clock()
    close(upto=now, now=now, zone=tenant_of(connection).time_zone)
    for subscription_ids in to_push(connection=connection):
        if not push_usage(
            connection=connection,
            subscription_ids=subscription_ids,
            worker=worker,
            clock=clock,
            open_client=open_client,
            may_wait=False,
        ):
            break
    if UsageRecord.objects.filter(connection=connection).pending().exists():
        sweep_usage(connection=connection, worker=worker, clock=clock, open_client=open_client, may_wait=False)
    return not_arrived(connection)


def _planned(
    far: Far, files: push.FileRoad | None, subscription_ids: Collection[int], *, is_first: bool = False
) -> Iterator[UsageBatch | int]:
    """Plan, having read the first time what numbers are missing; yield the batches of calls that are full already."""
    for chunk in push.in_parts(subscription_ids, CHUNK):
        linked = push.read_missing_numbers(far, chunk) if is_first else {}
        yield from _plan(far, chunk, {} if files else linked)


def _plan(far: Far, subscription_ids: Collection[int], linked: Mapping[int, SyncRecord]) -> list[UsageBatch | int]:
    """Plan for these together, or, where the usage of one cannot be planned, for each by itself."""
    try:
        with _planning:
            far.client.make_way(seconds=_WAY_SECONDS)
            return push.plan(
                connection=far.connection,
                tenant=far.tenant,
                subscription_ids=subscription_ids,
                now=far.clock(),
                linked=linked,
            )
    except _WRONG_ROWS:
        log.exception("usage cannot be planned", subscriptions=len(subscription_ids), first=min(subscription_ids))
    if len(subscription_ids) == 1:
        return []
    return [batch for one in sorted(subscription_ids) for batch in _plan(far, [one], linked)]


def _formed(far: Far, files: push.FileRoad | None, subscription_ids: Collection[int]) -> list[int]:
    """Put what is due into files where they are cheaper, and into Actions what is left; return the batches' ids."""
    connection, now = far.connection, far.clock()
    batches = []
    if files is not None:
        batches = push.form_files(
            connection=connection, tenant=far.tenant, files=files, subscription_ids=subscription_ids, now=now
        )
    return batches + push.form(connection=connection, now=now, subscription_ids=subscription_ids)


def _send_all(far: Far, batches: Collection[UsageBatch | int], worker: str) -> None:
    """Send batch after batch; one that fails does not hold up the next, unless the whole tenant fails."""
    for batch in batches:
        if not may_send(far.connection, now=far.clock()):
            return
        claimed = push.claim(batch=batch, worker=worker, now=far.clock())
        if claimed is None:
            give_back(far.connection, probe_until=far.connection.paused_until, now=far.clock())
            continue
        try:
            push.send(far, *claimed)
        except ZuoraError as error:
            if error.scope is Scope.CONNECTION:
                raise
            note_error(far.connection, error, now=far.clock())
            log.warning("usage was not sent", batch=batch if isinstance(batch, int) else batch.pk, why=error.message)
        else:
            note_success(far.connection)


@contextmanager
def _far(
    connection: Connection, clock: Clock, open_client: Open, *, priority: leases.Priority = leases.Priority.USAGE
) -> Iterator[Far]:
    """Give a view of the tenant under a track id of its own, and keep what was said."""
    track_id = f"usage-{uuid.uuid4().hex[:16]}"
    exchanges: list[Exchange] = []
    client = open_client(connection).for_delivery(track_id=track_id, priority=priority, on_exchange=exchanges.append)
    with structlog.contextvars.bound_contextvars(track_id=track_id):
        try:
            yield Far(client=client, connection=connection, tenant=tenant_of(connection), clock=clock)
        finally:
            request_log.keep(exchanges, connection=connection)


@contextmanager
def _noting(connection: Connection, clock: Clock) -> Iterator[None]:
    """Let a failed call end the run and be known; the rows know what to do next."""
    try:
        yield
    except ZuoraError as error:
        note_error(connection, error, now=clock())
        log.warning("a run of usage ended early", why=error.message)
