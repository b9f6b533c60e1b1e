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
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402

from customers.models import Customer  # noqa: E402
from tests.bench.pages import figures, stopwatch  # noqa: E402
from tests.browser import scene  # noqa: E402

NOW = timezone.now()
#: Who fails, waits and is left out stands at the end, as it does where new customers come last.
CUSTOMERS = """
INSERT INTO customers_customer (ref_id, name, email, billing_currency, billing_line1, billing_line2, billing_city,
  billing_state, billing_postal_code, billing_country, payment_method_id, billing_id, metadata, created_at, updated_at)
SELECT 'cus_' || lpad(i::text, 9, '0'),
  (ARRAY['Aurora','Birch','Cobalt','Delta','Ember','Fjord','Garnet','Harbor','Indigo','Juniper'])[1 + i * 7 %% 10]
    || ' ' || initcap(substr(md5(i::text), 1, 6)) || ' '
    || (ARRAY['Bakery','Labs','Gardens','Studio','Works','Media','Foods','Legal'])[1 + i * 3 %% 8],
  'billing@' || substr(md5(i::text), 1, 10) || '.example', 'EUR', '', '', '', '', '', 'DE', '', '', '{}', %s, %s
FROM generate_series(1, %s::bigint) AS i
"""
RECORDS = """
INSERT INTO integrations_syncrecord (connection_id, key, kind, root_kind, root_id, status, zuora_id, zuora_number,
  linked_by_hand, generation, digest, sent, trace, error, cure, zuora_says, zuora_request_id, synced_at, status_since,
  sequence, pending_key, pending_body, pending_sent, pending_number)
SELECT %(connection)s, 'customer:' || ref_id, 'customer', 'customer', id, status,
  CASE WHEN status = 'SUCCESS' OR n > 0.96 AND n <= 0.97 THEN md5(ref_id) ELSE '' END,
  CASE WHEN status = 'SUCCESS' THEN 'stigg--' || ref_id ELSE '' END,
  false, 1, md5(ref_id), '{}', '[]', CASE WHEN status = 'ERROR' THEN 'Zuora refuses it: no such currency.' ELSE '' END,
  '', '', '', %(now)s, %(now)s - (n * interval '30 days'), 0, '', '', '{}', ''
FROM (SELECT id, ref_id, n, CASE WHEN n > 0.99 THEN 'PENDING' WHEN n > 0.98 THEN 'ERROR'
  WHEN n > 0.92 THEN 'NO_SYNC_REQUIRED' ELSE 'SUCCESS' END AS status
  FROM (SELECT id, ref_id, id::float / %(count)s AS n FROM customers_customer) AS numbered) AS judged
"""
JOBS = """
INSERT INTO integrations_syncjob (connection_id, kind, entity_id, key, state, priority, not_before, attempts,
  claimed_by, account, other_account, waiting_for, reason, created_at, finished_at)
SELECT connection_id, kind, root_id, key,
  CASE status WHEN 'PENDING' THEN 'WAITING' WHEN 'ERROR' THEN 'FAILED' ELSE 'DONE' END,
  3, status_since, 1, '', key, '', '', CASE status WHEN 'ERROR' THEN 'No currency ''' || key || '''.' ELSE '' END,
  status_since, CASE status WHEN 'PENDING' THEN NULL ELSE status_since END
FROM integrations_syncrecord WHERE id % 5 = 0 OR status IN ('PENDING', 'ERROR') ORDER BY id
"""


def fill(count: int) -> float:
    """Make the customers, their records and jobs; return how many seconds that took."""
    import_module("integrations.migrations.0002_roles").make_roles(apps, connection.schema_editor())
    scene.people()
    tenant = scene.connection(NOW - timedelta(days=40))
    seconds: list[float] = []
    with stopwatch(seconds), connection.cursor() as cursor:
        cursor.execute(CUSTOMERS, [NOW, NOW, count])
        cursor.execute(RECORDS, {"connection": tenant.pk, "now": NOW, "count": count})
        cursor.execute(JOBS)
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
