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
    audit = {f"audit log, {name}": f"/settings/audit-log/?{query}" for name, query in _audit().items()}
    return audit | {f"request log, {name}": f"/settings/requests/?{query}" for name, query in _requests().items()}


def _audit() -> dict[str, str]:
    entries = AuditEntry.objects.order_by("at", "pk")
    entry, place = entries[1000], _place(entries[1000], "at")
    first_day = f"until={entry.at:%Y-%m-%d}"
    return {
        "first page": "",
        "deep": f"after={place}",
        "back from a deep page": f"before={place}",
        "last page": f"after={_place(entries[30], 'at')}",
        "who: early": "who=founder",
        "who: nobody": "who=nobody",
        "who: several": "who=o",
        "who: several, subject: none": "who=o&subject=zzz",
        "who: early, action: common": "who=founder&action=sync",
        "who: common, action: early": "who=operator&action=connect",
        "who and action: common": "who=operator&action=sync",
        "who and action: common, deep": f"who=operator&action=sync&after={place}",
        "action: early": "action=connect",
        "action: common, subject: none": "action=sync&subject=zzz",
        "action: early, subject: none": "action=connect&subject=zzz",
        "subject: in every line": "subject=customer",
        "subject: early": f"subject={quote(entry.subject)}",
        "subject: none": "subject=zzz",
        "subject: none, further": f"subject=zzz&after={_place(entries[500_000 % entries.count()], 'at')}",
        "subject: none, on the way back": f"subject=zzz&before={place}",
        "until its first day": first_day,
        "until its first day, subject: none": f"{first_day}&subject=zzz",
        "until its first day, action: common": f"{first_day}&action=sync",
    }


def _requests() -> dict[str, str]:
    exchanges = Request.objects.order_by("started_at", "pk")
    exchange, place = exchanges[1000], _place(exchanges[1000], "started_at")
    first_day, entity = f"until={exchange.started_at:%Y-%m-%d}", "entity=customer:cus_000000100"
    return {
        "first page": "",
        "deep": f"after={place}",
        "back from a deep page": f"before={place}",
        "last page": f"after={_place(exchanges[30], 'started_at')}",
        **{answer: f"answer={answer}" for answer in ANSWERS},
        **{f"{answer}, path: none": f"answer={answer}&path=/v1/nothing" for answer in ANSWERS},
        "2xx, until its first day": f"answer=2xx&{first_day}",
        "path: common": "path=/v1/orders",
        "path: none": "path=/v1/nothing",
        "path: none, deep": f"path=/v1/nothing&after={place}",
        "path: none, on the way back": f"path=/v1/nothing&before={place}",
        "path: none, until its first day": f"path=/v1/nothing&{first_day}",
        "track": f"track={exchange.track_id}",
        "track: none": "track=nothing",
        "track, another answer": f"track={exchange.track_id}&answer=2xx",
        "entity": entity,
        "entity: none": "entity=nobody",
        "entity, path: none": f"{entity}&path=/v1/nothing",
        "entity, 2xx": f"{entity}&answer=2xx",
        "entity, 5xx": f"{entity}&answer=5xx",
        "entity, until its first day": f"{entity}&{first_day}",
        "until its first day": first_day,
    }


def _place(row: AuditEntry | Request, moment: str) -> str:
    """Return the place of a line as the address of its neighbours' page has it."""
    return quote(json.dumps([getattr(row, moment).isoformat(), str(row.pk)]))


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
