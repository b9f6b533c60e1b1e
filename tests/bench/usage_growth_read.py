"""Measures what reads and writes usage in the database that its environment names: see `tests.bench.usage_growth`."""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models can be imported only now
from django.core.cache import cache  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.models import Feature  # noqa: E402
from customers.models import Customer  # noqa: E402
from integrations import api_keys, purging  # noqa: E402
from integrations.models import Connection, Scope, UsageRecord  # noqa: E402
from integrations.usage_reconcile import reconcile_usage  # noqa: E402
from subscriptions.models import Subscription  # noqa: E402
from tests.bench.usage_growth_rows import FEATURES, last_hour  # noqa: E402
from usage.closing import close  # noqa: E402
from usage.counting import Source, used_in  # noqa: E402
from usage.models import Meter, UpdateBehavior  # noqa: E402
from usage.reporting import UsageReport, report_usage  # noqa: E402
from usage.storing import Hour, note_hours  # noqa: E402
from usage.windows import Window  # noqa: E402

if TYPE_CHECKING:
    from integrations.zuora.client import Client as Zuora

HOUR = timedelta(hours=1)
_SECONDS = 3.0
_MOST = 50
_numbers = count(int(time.time() * 1000))


@dataclass(frozen=True)
class Case:
    """Something that is done many times over, and undone: `prepare` is not measured, and `act` is."""

    name: str
    act: Callable[[], object]
    prepare: Callable[[], object] = lambda: None


class Shown:
    """Stands where Zuora answers in a comparison, at no cost: it shows what was sent, as billed."""

    def zoql(self, query: str) -> list[dict[str, Any]]:
        """Return what the records say of the one subscription that the query names."""
        if "SubscriptionNumber = null" in query:
            return []  # nothing was filed under an account alone
        number = query.partition("SubscriptionNumber = 'stigg--")[2].partition("'")[0]
        since = datetime.fromisoformat(query.rpartition(">= '")[2].rstrip("'"))
        rows = UsageRecord.objects.filter(charge__subscription__ref_id=number, starts_at__gte=since).order_by()
        names = ("zuora_id", "held", "held_starts_at", "external_key", "charge_number")
        return [
            {
                "Id": pk,
                "Quantity": float(quantity),
                "StartDateTime": moment.isoformat(),
                "Description": key,
                "SubscriptionNumber": f"stigg--{number}",
                "ChargeNumber": charge,
                "RbeStatus": "Processed",
            }
            for pk, quantity, moment, key, charge in rows.values_list(*names)
        ]


def cases() -> Iterator[Case]:
    """Yield what is measured."""
    hour = last_hour()
    yield Case("close an hour in which 204 things were used", lambda: _close(hour), lambda: _note(hour))
    late = hour - timedelta(days=10)
    for name, who, feature, behavior in (
        ("close a late event of ten days ago", "customer-0", "calls", UpdateBehavior.DELTA),
        ("close a late raw event of ten days ago", "customer-0", "bytes", UpdateBehavior.DELTA),
        ("close a late event, before a SET", "customer-1", "seats", UpdateBehavior.DELTA),
        ("close a SET, hours after the last one", "customer-1", "seats", UpdateBehavior.SET),
        ("close the first SET of a charge", "customer-2", "seats", UpdateBehavior.SET),
    ):
        at = hour if behavior == UpdateBehavior.SET else late
        # The early defaults bind what belongs to this case.
        yield Case(name, lambda at=at: _close(at), lambda w=who, f=feature, b=behavior, at=at: _use(w, f, b, at))  # type: ignore[misc]
    yield from _api(hour)
    yield from _pages(hour)
    period = hour.date()
    zuora, tenant = cast("Zuora", Shown()), Connection.objects.get()
    sold = Subscription.objects.get(ref_id="customer-0")

    def compare() -> None:
        lines = list(reconcile_usage(connection=tenant, client=zuora, now=hour, subscription=sold, day=period))
        wrong = [line for line in lines if line.differences]
        if wrong or len(lines) != len(FEATURES):
            raise RuntimeError(f"{len(lines)} lines, of which differ: {wrong[:1]}")

    yield Case("compare the period of one subscription", compare)
    yield Case("purge, nightly", lambda: purging.purge(now=timezone.now(), days=30))


def _close(hour: datetime) -> None:
    closed = close(upto=hour + HOUR, now=hour + timedelta(minutes=65))
    if not closed.hours or closed.stuck:
        raise RuntimeError(f"Nothing was closed: {closed}")


def _note(hour: datetime) -> None:
    features = Feature.objects.values_list("pk", flat=True)
    hours = [Hour(who, what, "", hour) for who in Customer.objects.values_list("pk", flat=True) for what in features]
    note_hours(hours=hours, now=hour + HOUR)


def _use(who: str, feature: str, behavior: UpdateBehavior, at: datetime) -> None:
    if feature == "bytes":
        note_hours(
            hours=[Hour(Customer.objects.get(ref_id=who).pk, Feature.objects.get(ref_id=feature).pk, "", at)], now=at
        )
        return
    report = UsageReport(
        customer=who, feature=feature, value=Decimal(7), behavior=behavior, key=f"late-{next(_numbers)}",
        at=at + timedelta(minutes=59),
    )  # fmt: skip
    report_usage(reports={0: report}, now=timezone.now())


def _api(hour: datetime) -> Iterator[Case]:
    _, token = api_keys.create(name="Benchmark", scope=Scope.WRITE, actor=None, now=timezone.now())
    client = Client(SERVER_NAME="localhost", headers={"X-API-KEY": token})

    def report() -> None:
        rows = [
            {
                "customerId": f"customer-{number % 50}",
                "featureId": FEATURES[number // 50 % 3],
                "value": number % 97 + 0.25,
                "idempotencyKey": f"bench-{next(_numbers)}-{os.urandom(8).hex()}",
                "createdAt": (hour + number * timedelta(seconds=3)).isoformat(),
            }
            for number in range(1000)
        ]
        body = json.dumps({"usages": rows}).encode()
        _ask(client.post, "/api/v1/usage", body, content_type="application/json")

    yield Case("store 1,000 events, by POST /api/v1/usage", report)
    day, end = quote((hour - timedelta(days=1)).isoformat()), quote((hour + HOUR).isoformat())
    for what, who in (
        ("calls", "customer-0"),
        ("bytes", "customer-0"),
        ("seats", "customer-1"),
        ("seats", "customer-2"),
    ):
        address = f"/api/v1/usage/{who}/history/{what}?startDate={day}&endDate={end}"
        kind = {"bytes": " (raw events)", "seats": " (stays in use)"}.get(what, "")
        kind += ", never set" if who == "customer-2" else ""
        yield Case(f"history of a day{kind}, by the API", lambda address=address: _ask(client.get, address))  # type: ignore[misc]


def _pages(hour: datetime) -> Iterator[Case]:
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="operator"))
    record = UsageRecord.objects.filter(
        starts_at=hour - HOUR, charge__subscription__ref_id="customer-0", slice__price__feature__ref_id="calls"
    ).get()
    for name, address in {
        "page: usage": "/usage/",
        "page: usage, of a customer": "/usage/?customer=customer-0",
        "page: a record with its events": f"/usage/{record.pk}/",
        "page: a subscription's usage": "/subscriptions/customer-0/usage/",
        "page: overview": "/",
    }.items():
        yield Case(name, lambda address=address: _ask(client.get, address))  # type: ignore[misc]


def _ask(method: Callable[..., Any], *given: Any, **options: Any) -> None:
    cache.clear()
    response = method(*given, **options)
    if response.status_code not in {200, 201}:
        raise RuntimeError(f"{given[0]} answered {response.status_code}: {response.content[:300]!r}")


def measure(case: Case) -> dict[str, float]:
    """Do it until it has taken some seconds; return the median's time, and what does not depend on the machine."""
    pages, statements = _touched(case)
    seconds: list[float] = []
    used = 0.0
    while sum(seconds) < _SECONDS and len(seconds) < _MOST:
        with transaction.atomic():
            case.prepare()
            before, started = _processor_seconds(), time.perf_counter()
            case.act()
            seconds.append(time.perf_counter() - started)
            used += _processor_seconds() - before
            transaction.set_rollback(True)
    return {
        "statements": statements,
        "pages": pages,
        "ms": round(statistics.median(seconds) * 1000, 1),
        "processor_ms": round(used / len(seconds) * 1000, 1),
        "times": len(seconds),
    }


def _touched(case: Case) -> tuple[int, int]:
    """Return the pages of PostgreSQL's cache that it touches once all is warm, and its statements.

    PostgreSQL tells of a backend's pages between transactions only: what prepares the case is measured and taken off.
    """
    whole = prepared = statements = 0
    for _ in range(2):
        before = _pages_so_far()
        with transaction.atomic():
            case.prepare()
            transaction.set_rollback(True)
        between = _pages_so_far()
        with transaction.atomic():
            case.prepare()
            with CaptureQueriesContext(connection) as captured:
                case.act()
            transaction.set_rollback(True)
        prepared, whole, statements = between - before, _pages_so_far() - between, len(captured)
    return whole - prepared, statements


def _pages_so_far() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT sum(hits + coalesce(reads, 0)) FROM pg_stat_get_backend_io(pg_backend_pid())")
        return int(cursor.fetchone()[0])


def _processor_seconds() -> float:
    """Return what this process has used, and PostgreSQL's for it."""
    pid = connection.connection.info.backend_pid
    spent = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    return time.process_time() + int(spent) / 1e9


def plan_of(hour: datetime) -> str:
    """Return the plan, with the pages it touches, of the statement that reads the events of an hour of all charges."""
    meters: Mapping[int, Meter] = {meter.feature_id: meter for meter in Meter.objects.all()}
    spans = [
        (Source(who, what, "", meters.get(what)), Window(hour, hour + HOUR))
        for who in Customer.objects.values_list("pk", flat=True)
        for what in Feature.objects.values_list("pk", flat=True)
    ]
    seen: list[tuple[str, Any]] = []

    def keep(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        used_in(spans)
    reads = [(sql, params) for sql, params in seen if "LATERAL" in sql]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {reads[0][0]}", reads[0][1])
        return "\n".join(row[0] for row in cursor.fetchall())


def main() -> None:
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")  # whoever helps is not counted
    plan, found = plan_of(last_hour()), {}
    for case in cases():
        if only in case.name:
            found[case.name] = measure(case)
            print(case.name, found[case.name], file=sys.stderr, flush=True)
    print(json.dumps({"cases": found, "plan": plan}))


if __name__ == "__main__":
    main()
