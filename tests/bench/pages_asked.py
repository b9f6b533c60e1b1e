"""Fills the database that its environment names, and asks for the pages: started by `tests.bench.pages`."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models can be imported only now
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from customers.models import Customer  # noqa: E402
from integrations.figures import WORTH_MS, count_due  # noqa: E402
from integrations.filters import ANSWERS  # noqa: E402
from integrations.models import AuditEntry, Figure, JobState, Operation, Request, SyncJob, UsageRecord  # noqa: E402
from integrations.usage_filters import STATES  # noqa: E402
from subscriptions.models import Subscription  # noqa: E402
from tests.bench.pages import LIMIT_MS, figures, stopwatch  # noqa: E402
from tests.bench.pages_rows import fill  # noqa: E402

_STATUSES = ("pending", "synced", "failed", "not-synced", "stopped", "none")


def pages() -> dict[str, str]:
    """Return what is asked for: a name and an address of each."""
    deep = Customer.objects.order_by("ref_id")[Customer.objects.count() * 9 // 10]
    sold = Subscription.objects.order_by("ref_id")[Subscription.objects.count() * 9 // 10]
    return {
        **{f"customers, {name}": f"/customers/?{query}" for name, query in _customers(deep).items()},
        **{f"subscriptions, {name}": f"/subscriptions/?{query}" for name, query in _subscriptions(sold).items()},
        **_problems(),
        **_activity(),
        **_usage(),
        **_logs(),
        "background work": "/background/",
        "a report": f"/background/{Operation.objects.get().pk}/",
        "a report, failed": f"/background/{Operation.objects.get().pk}/?outcome=Failed",
        "overview": "/",
        "a customer's page": f"/customers/{deep.ref_id}/",
        "a subscription's page": f"/subscriptions/{sold.ref_id}/",
        "a subscription's usage": "/subscriptions/sub_000000100/usage/",
    }


def _customers(deep: Customer) -> dict[str, str]:
    known = deep.name.split()[1].lower()
    some = Customer.objects.order_by("name", "ref_id")[Customer.objects.count() // 2]
    return {
        "first page": "",
        "deep page": f"after={deep.ref_id}",
        "back from a deep page": f"before={deep.ref_id}",
        "search: one hit": f"q={known}",
        "search: two common words": "q=aurora+bak",
        "search: a common word": "q=aurora",
        "search: in every row": "q=billing",
        "search: a common word, deep": f"q=aurora&after={deep.ref_id}",
        "search: no hit": "q=zzzzqqq",
        "search: beginning of late ids": f"q={deep.ref_id[:8]}",
        "search: one hit, failed": f"q={known}&status=failed",
        **{f"search: a common word, by {sort}": f"q=aurora&sort={sort}" for sort in ("name", "-since", "status")},
        **{f"search: a common word, {status}": f"q=aurora&status={status}" for status in _STATUSES},
        "search: a fairly common word": "q=aa",
        "search: a fairly common word, by name": "q=aa&sort=name",
        "search: a fairly common word, failed": "q=aa&status=failed",
        **{f"status: {name}": f"status={name}" for name in _STATUSES},
        **{f"status: {name}, from the end": f"status={name}&sort=-id" for name in _STATUSES},
        **{f"status: {name}, by name": f"status={name}&sort=name" for name in _STATUSES},
        **{f"status: {name}, by since": f"status={name}&sort=-since" for name in _STATUSES},
        **{
            f"sort: {name}": f"sort={name}" for name in ("-id", "name", "-name", "status", "-status", "since", "-since")
        },
        "sort: name, deep": f'sort=name&after=["{some.name}","{some.ref_id}"]',
        "sort: status, deep": f'sort=status&after=["synced","customer:{deep.ref_id}"]',
    }


def _subscriptions(deep: Subscription) -> dict[str, str]:
    return {
        "first page": "",
        "deep page": f"after={deep.ref_id}",
        "search: in every row": "q=sub",
        "search: no hit": "q=zzzzqqq",
        **{f"status: {name}": f"status={name}" for name in _STATUSES},
        **{f"sort: {name}": f"sort={name}" for name in ("-id", "status", "-since")},
    }


def _problems() -> dict[str, str]:
    cause = SyncJob.objects.problems().order_by("pk")[100].cause
    return {
        "problems": "/problems/",
        "problems, customers": "/problems/?kind=customer",
        "problems, plans": "/problems/?kind=plan",
        "problems, one cause": f"/problems/?cause={quote(cause)}",
        "problems, no such cause": "/problems/?cause=nothing",
    }


def _activity() -> dict[str, str]:
    early = SyncJob.objects.order_by("pk")[1000]
    return {
        "activity": "/activity/",
        "activity, deep": f"/activity/?after={early.pk}",
        **{f"activity, {state.lower()}": f"/activity/?state={state}" for state in (*JobState.values, "PARENT")},
        "activity, plans": "/activity/?kind=plan",
        "activity, failed customers": "/activity/?state=FAILED&kind=customer",
        "activity, failed plans": "/activity/?state=FAILED&kind=plan",
    }


def _usage() -> dict[str, str]:
    record = UsageRecord.objects.order_by("pk")[1000]
    return {
        "usage": "/usage/",
        "usage, deep": f"/usage/?after={record.pk}",
        **{f"usage, {state}": f"/usage/?state={state}" for state in (*STATES, "waiting")},
        "usage, of a customer": f"/usage/?customer={record.charge.subscription.customer.ref_id}",
        "usage, of a subscription": f"/usage/?subscription={record.charge.subscription.ref_id}",
        "usage, of a subscription, failed": f"/usage/?subscription={record.charge.subscription.ref_id}&state=failed",
        "usage, of nobody": "/usage/?customer=nobody",
        "usage, of a charge": f"/usage/?charge={record.charge_number}",
        "usage, of a feature": "/usage/?charge=api-calls",
        "usage, of no charge": "/usage/?charge=nothing",
        "usage, until the first day": f"/usage/?until={record.starts_at:%Y-%m-%d}",
        "usage, since today, failed": f"/usage/?since={timezone.now():%Y-%m-%d}&state=failed",
        "usage, waiting, of a customer": f"/usage/?state=waiting&customer={record.charge.subscription.customer.ref_id}",
        "usage, comparisons": "/usage/reconciliations/",
    }


def _logs() -> dict[str, str]:
    entry, exchange = AuditEntry.objects.order_by("pk")[1000], Request.objects.order_by("pk")[1000]
    audit, log = "/settings/audit-log/", "/settings/requests/"
    return {
        "audit log": audit,
        "audit log, deep": f"{audit}?after={entry.pk}",
        "audit log, who: early": f"{audit}?who=founder",
        "audit log, who: nobody": f"{audit}?who=nobody",
        "audit log, action: early": f"{audit}?action=connect",
        "audit log, subject: early": f"{audit}?subject={quote(entry.subject)}",
        "audit log, subject: none": f"{audit}?subject=zzz",
        "audit log, until its first day": f"{audit}?until={entry.at:%Y-%m-%d}",
        "request log": log,
        "request log, deep": f"{log}?after={exchange.pk}",
        **{f"request log, {answer}": f"{log}?answer={answer}" for answer in ANSWERS},
        "request log, path: common": f"{log}?path=/v1/orders",
        "request log, path: none": f"{log}?path=/v1/nothing",
        "request log, track": f"{log}?track={exchange.track_id}",
        "request log, entity": f"{log}?entity=customer:cus_000000100",
        "request log, entity: none": f"{log}?entity=nobody",
        "request log, until its first day": f"{log}?until={exchange.started_at:%Y-%m-%d}",
    }


def measure(client: Client, address: str, *, repeats: int) -> dict[str, Any]:
    """Ask so many times; the first, before the database knows its way, is not counted."""
    seconds: list[float] = []
    used = 0.0
    for number in range(repeats + 1):
        if number == 1:
            used = _processor_seconds()
        with stopwatch(seconds if number else []):
            response = client.get(address)
            _ = response.content
        if response.status_code != 200:
            raise RuntimeError(f"{address} answered {response.status_code}")
    processor = (_processor_seconds() - used) / repeats
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    return {**figures(seconds), "processor_ms": round(processor * 1000, 1), "queries": len(queries)}


def _processor_seconds() -> float:
    """Return what this process has used, and PostgreSQL's for it, but for workers that help with one query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        pids = [pid for (pid,) in cursor.fetchall()]
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # user and system: the 14th and 15th field
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def slow_queries(client: Client, address: str) -> str:
    """Return PostgreSQL's plans of the queries that take most of a page's time."""
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    plans = []
    with connection.cursor() as cursor:
        for query in queries:
            if float(query["time"]) > 0.02:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {query['sql']}")
                plans.append(query["sql"] + "\n" + "\n".join(row[0] for row in cursor.fetchall()))
    return "\n".join(plans)


def main() -> None:
    options = json.loads(sys.argv[1])
    started = time.perf_counter()
    if options["customers"]:
        fill(options["customers"], timezone.now())
    filled = time.perf_counter() - started
    count_due(now=timezone.now())  # as the beat has a worker do
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="operator"))
    results = {}
    for name, address in pages().items():
        if options["only"] not in name:
            continue
        results[name] = measure(client, address, repeats=options["repeats"])
        print(name, results[name], file=sys.stderr, flush=True)
        if options["explain"] and results[name]["p50_ms"] > LIMIT_MS * 2 / 3:
            print(slow_queries(client, address), file=sys.stderr, flush=True)
    found = {"customers": options["customers"], "limit_ms": LIMIT_MS, "fill_seconds": round(filled, 1)}
    found |= {"figures_ms": dict(Figure.objects.values_list("name", "took_ms")), "worth_ms": WORTH_MS}
    print(json.dumps({**found, "pages": results}))


if __name__ == "__main__":
    main()
