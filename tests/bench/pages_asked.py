"""Fills the database that its environment names, and asks for the pages: started by `tests.bench.pages`."""

import gc
import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from operator import itemgetter
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

from integrations.figures import WORTH_MS, count_due  # noqa: E402
from integrations.filters import ANSWERS  # noqa: E402
from integrations.models import AuditEntry, Figure, Request  # noqa: E402
from tests.bench.pages import LIMIT_MS, figures, stopwatch  # noqa: E402
from tests.bench.pages_listed import grid, pages  # noqa: E402
from tests.bench.pages_rows import fill  # noqa: E402

#: Requests of each order of a search, of which the slowest is told.
_FEW = 2


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
        "subject: a Stigg id": f"subject={entry.subject.partition(':')[2]}",
        "subject: early, anywhere": f"subject={quote(entry.subject)}&anywhere=1",
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
    """Ask so many times; the first, before the database knows its way, is not counted. Of an export its beginning."""
    seconds: list[float] = []
    used = 0.0
    for number in range(repeats + 1):
        if number == 1:
            used = _processor_seconds()
        with stopwatch(seconds if number else []):
            _ask(client, address)
    processor = (_processor_seconds() - used) / repeats
    with CaptureQueriesContext(connection) as queries:
        _ask(client, address)
    return {**figures(seconds), "processor_ms": round(processor * 1000, 1), "queries": len(queries)}


def _ask(client: Client, address: str) -> None:
    response: Any = client.get(address, follow=True)
    if response.status_code != 200:
        raise RuntimeError(f"{address} answered {response.status_code}")
    if response.streaming:
        lines = iter(response)
        _ = next(lines), next(lines, b"")  # its head, and the first row
        response.close()
    else:
        _ = response.content


def slowest(client: Client, addresses: Iterable[str]) -> dict[str, Any]:
    """Measure each address a few times, and return what the slowest took."""
    return max((measure(client, one, repeats=_FEW) for one in addresses), key=itemgetter("p50_ms"))


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
        _ask(client, address)
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
    client.force_login(User.objects.get(username="administrator"))
    _ask(client, "/")
    gc.collect()
    gc.freeze()  # as the web server does
    results = {}
    for name, address in {**pages(), **_logs()}.items():
        if options["only"] not in name:
            continue
        results[name] = measure(client, address, repeats=options["repeats"])
        print(name, results[name], file=sys.stderr, flush=True)
        if options["explain"] and results[name]["p50_ms"] > LIMIT_MS * 2 / 3:
            print(slow_queries(client, address), file=sys.stderr, flush=True)
    for name, addresses in grid().items():
        if options["only"] in name:
            results[f"{name}, slowest order"] = slowest(client, addresses)
            print(name, results[f"{name}, slowest order"], file=sys.stderr, flush=True)
    found = {"customers": options["customers"], "limit_ms": LIMIT_MS, "fill_seconds": round(filled, 1)}
    found |= {"figures_ms": dict(Figure.objects.values_list("name", "took_ms")), "worth_ms": WORTH_MS}
    print(json.dumps({**found, "pages": results}))


if __name__ == "__main__":
    main()
