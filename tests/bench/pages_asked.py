"""Fills the database that its environment names, and asks for the pages: started by `tests.bench.pages`."""

import json
import sys
from datetime import timedelta
from importlib import import_module
from typing import Any

import django

django.setup()

from django.apps import apps  # noqa: E402 - models can be imported only now
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Model  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from customers.models import Customer  # noqa: E402
from integrations.models import SyncJob, SyncRecord  # noqa: E402
from tests.bench.pages import figures, stopwatch  # noqa: E402
from tests.browser import scene  # noqa: E402

NOW = timezone.now()
_WORDS = (
    "(ARRAY['Aurora','Birch','Cobalt','Delta','Ember','Fjord','Garnet','Harbor','Indigo','Juniper'])[1 + i * 7 % 10]"
    " || ' ' || initcap(substr(md5(i::text), 1, 6)) || ' ' || "
    "(ARRAY['Bakery','Labs','Gardens','Studio','Works','Media','Foods','Legal'])[1 + i * 3 % 8]"
)
CUSTOMERS = {
    "ref_id": "'cus_' || lpad(i::text, 9, '0')",
    "name": _WORDS,
    "email": "'billing@' || substr(md5(i::text), 1, 10) || '.example'",
}
#: Who fails, waits and is left out stands at the end, as it does where new customers come last.
_JUDGED = """(SELECT id AS row_id, ref_id, n, CASE WHEN n > 0.99 THEN 'PENDING' WHEN n > 0.98 THEN 'ERROR'
  WHEN n > 0.92 THEN 'NO_SYNC_REQUIRED' ELSE 'SUCCESS' END AS judged
  FROM (SELECT id, ref_id, id::float / (SELECT max(id) FROM customers_customer) AS n FROM customers_customer
    WHERE ref_id <> 'first') AS numbered)"""
RECORDS = {
    "key": "'customer:' || ref_id",
    "root_id": "row_id",
    "status": "judged",
    "zuora_id": "CASE WHEN judged = 'SUCCESS' OR n > 0.96 AND n <= 0.97 THEN md5(ref_id) ELSE '' END",
    "zuora_number": "CASE WHEN judged = 'SUCCESS' THEN 'stigg--' || ref_id ELSE '' END",
    "error": "CASE WHEN judged = 'ERROR' THEN 'Zuora refuses it: no such currency.' ELSE '' END",
    "status_since": "now() - n * interval '30 days'",
}
JOBS = {
    "entity_id": "row_id",
    "key": "'customer:' || ref_id",
    "account": "'customer:' || row_id",
    "state": "CASE judged WHEN 'PENDING' THEN 'WAITING' WHEN 'ERROR' THEN 'FAILED' ELSE 'DONE' END",
    "reason": "CASE judged WHEN 'ERROR' THEN 'No currency “' || ref_id || '”.' ELSE '' END",
    "not_before": "now() - n * interval '30 days'",
    "created_at": "now() - n * interval '30 days'",
    "finished_at": "CASE judged WHEN 'PENDING' THEN NULL ELSE now() - n * interval '30 days' END",
}


def multiply(row: Model, source: str, differing: dict[str, str]) -> str:
    """Return the statement that copies a row for each row of a source, but for the columns that differ."""
    options = row._meta
    fields = [field for field in options.concrete_fields if not field.generated and not field.primary_key]
    columns = [str(field.column) for field in fields]
    values = [differing.get(column, f'pattern."{column}"') for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    return (
        f'INSERT INTO "{options.db_table}" ({names}) SELECT {", ".join(values)} '  # noqa: S608 - our own names
        f'FROM {source}, "{options.db_table}" AS pattern WHERE pattern.id = {row.pk}'
    )


def fill(count: int) -> float:
    """Make the customers, their records and jobs; return how many seconds that took."""
    import_module("integrations.migrations.0002_roles").make_roles(apps, connection.schema_editor())
    scene.people()
    tenant = scene.connection(NOW - timedelta(days=40))
    customer = Customer.objects.create(ref_id="first", billing_currency="EUR", billing_country="DE")
    record, job = SyncRecord.objects.get(connection=tenant), SyncJob.objects.get(connection=tenant)
    some = (
        f"(SELECT * FROM {_JUDGED} AS judgements "  # noqa: S608 - our own names
        "WHERE row_id % 5 = 0 OR judged IN ('PENDING', 'ERROR') ORDER BY row_id) AS chosen"
    )
    seconds: list[float] = []
    with stopwatch(seconds), connection.cursor() as cursor:
        cursor.execute(multiply(customer, f"generate_series(2, {count}) AS series(i)", CUSTOMERS))
        cursor.execute(multiply(record, f"{_JUDGED} AS judgements", RECORDS))
        cursor.execute(multiply(job, some, JOBS))
        cursor.execute("VACUUM (ANALYZE)")
    return seconds[0]


def pages() -> dict[str, str]:
    """Return what is asked for: a name and an address of each."""
    deep = Customer.objects.order_by("ref_id")[Customer.objects.count() * 9 // 10]
    some = Customer.objects.order_by("name", "ref_id")[Customer.objects.count() // 2]
    known = deep.name.split()[1].lower()
    lists = {
        "first page": "",
        "deep page": f"after={deep.ref_id}",
        "back from a deep page": f"before={deep.ref_id}",
        "search: one hit": f"q={known}",
        "search: a common word": "q=aurora+bak",
        "search: no hit": "q=zzzzqqq",
        "search: beginning of late ids": f"q={deep.ref_id[:8]}",
        "search: one hit, failed": f"q={known}&status=failed",
        "search: a common word, by since": "q=aurora&sort=-since",
        **{f"status: {name}": f"status={name}" for name in ("pending", "synced", "failed", "not-synced", "stopped")},
        "status: none (no such row)": "status=none",
        **{
            f"sort: {name}": f"sort={name}" for name in ("-id", "name", "-name", "status", "-status", "since", "-since")
        },
        "sort: name, deep": f'sort=name&after=["{some.name}","{some.ref_id}"]',
        "sort: status, deep": f'sort=status&after=["synced","customer:{deep.ref_id}"]',
        "failed, by since": "status=failed&sort=-since",
        "failed, by name": "status=failed&sort=name",
        "pending, by name": "status=pending&sort=-name",
    }
    return {
        **{f"customers, {name}": f"/customers/?{query}" for name, query in lists.items()},
        "overview": "/",
        "problems": "/problems/",
        "activity": "/activity/",
        "activity, failed": "/activity/?state=FAILED",
        "a customer's page": f"/customers/{deep.ref_id}/",
    }


def measure(client: Client, address: str, *, repeats: int) -> dict[str, Any]:
    """Ask so many times; the first, with cold caches, is not counted."""
    seconds: list[float] = []
    for number in range(repeats + 1):
        with stopwatch(seconds if number else []):
            response = client.get(address)
            _ = response.content
        if response.status_code != 200:
            raise RuntimeError(f"{address} answered {response.status_code}")
    return figures(seconds)


def slowest_query(client: Client, address: str) -> str:
    """Return PostgreSQL's plan of the query that takes most of a page's time."""
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    worst = max(queries, key=lambda query: float(query["time"]))["sql"]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {worst}")
        return worst + "\n" + "\n".join(row[0] for row in cursor.fetchall())


def main() -> None:
    options = json.loads(sys.argv[1])
    filled = fill(options["customers"])
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(username="operator"))
    results = {}
    for name, address in pages().items():
        results[name] = measure(client, address, repeats=options["repeats"])
        print(name, results[name], file=sys.stderr, flush=True)
        if options["explain"] and results[name]["p95_ms"] > 100:
            print(slowest_query(client, address), file=sys.stderr, flush=True)
    print(json.dumps({"customers": options["customers"], "fill_seconds": round(filled, 1), "pages": results}))


if __name__ == "__main__":
    main()
