"""Fills a database as a deployment with a million customers has it: rows of a small scene, multiplied by PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module

from django.apps import apps
from django.db import connection
from django.db.models import Model

from customers.models import Customer
from integrations.models import (
    AuditEntry,
    Connection,
    Delivery,
    DeliveryOutcome,
    Operation,
    OperationLine,
    OperationState,
    Request,
    SyncJob,
    SyncRecord,
    UsageCharge,
    UsageRecord,
)
from subscriptions.models import Subscription
from tests.browser import scene
from tests.browser.usage_scene import build_usage
from usage.models import Slice, UnattributedUsage

_WORDS = (
    "(ARRAY['Aurora','Birch','Cobalt','Delta','Ember','Fjord','Garnet','Harbor','Indigo','Juniper'])[1 + i * 7 % 10]"
    " || ' ' || initcap(substr(md5(i::text), 1, 6)) || ' ' || "
    "(ARRAY['Bakery','Labs','Gardens','Studio','Works','Media','Foods','Legal'])[1 + i * 3 % 8]"
)
_CUSTOMERS = {
    "ref_id": "'cus_' || lpad(i::text, 9, '0')",
    "name": _WORDS,
    "email": "'billing@' || substr(md5(i::text), 1, 10) || '.example'",
}
_SUBSCRIPTIONS = {"ref_id": "'sub_' || lpad(i::text, 9, '0')", "customer_id": "first_id + i * 5"}


def _judged(table: str, prefix: str) -> str:
    """Return the entities with their place `n` among them, from 0 to 1: who fails and waits stands at the end.

    So it is where new ones come last. The very last have not been asked for, and have no record.
    """
    return f"""(SELECT id AS row_id, ref_id, n, CASE WHEN n > 0.98 THEN 'PENDING' WHEN n > 0.97 THEN 'ERROR'
  WHEN n > 0.91 THEN 'NO_SYNC_REQUIRED' ELSE 'SUCCESS' END AS judged
  FROM (SELECT id, ref_id, id::float / (SELECT max(id) FROM {table}) AS n FROM {table}
    WHERE starts_with(ref_id, '{prefix}')) AS numbered WHERE n <= 0.99)"""  # noqa: S608 - our own names


def _records(kind: str) -> dict[str, str]:
    return {
        "key": f"'{kind}:' || ref_id",
        "root_id": "row_id",
        "status": "judged",
        "zuora_id": "CASE WHEN judged = 'SUCCESS' OR n > 0.95 AND n <= 0.96 THEN md5(ref_id) ELSE '' END",
        "zuora_number": "CASE WHEN judged = 'SUCCESS' THEN 'stigg--' || ref_id ELSE '' END",
        "error": "CASE WHEN judged = 'ERROR' THEN 'Zuora refuses it: no such currency.' ELSE '' END",
        "status_since": "now() - n * interval '30 days'",
    }


#: Ten thousand failed, no two for the same reason, and not all for the same cause.
_JOBS = {
    "entity_id": "row_id",
    "key": "'customer:' || ref_id",
    "account": "'customer:' || row_id",
    "state": "CASE judged WHEN 'PENDING' THEN 'WAITING' WHEN 'ERROR' THEN 'FAILED' ELSE 'DONE' END",
    "reason": "CASE judged WHEN 'ERROR' THEN 'No currency “' || ref_id || '” in ' || "
    "translate((row_id % 200)::text, '0123456789', 'abcdefghij') ELSE '' END",
    "cause": "CASE judged WHEN 'ERROR' THEN 'No currency … in ' || "
    "translate((row_id % 200)::text, '0123456789', 'abcdefghij') ELSE '' END",
    "not_before": "now() - n * interval '30 days'",
    "created_at": "now() - n * interval '30 days'",
    "finished_at": "CASE judged WHEN 'PENDING' THEN NULL ELSE now() - n * interval '30 days' END",
}
#: A hundred hours of ten thousand charges; the oldest ones failed, the newest wait.
_HOURS = 100
_CHARGES = {"subscription_id": "first_id + i", "number": "'C-' || lpad(i::text, 8, '0')", "unabsorbed": "0"}
_SLICES = {
    "subscription_id": "hours.subscription_id",
    "starts_at": "starts",
    "ends_at": "starts + interval '1 hour'",
    "taken_revision": "CASE WHEN hour = 1 THEN 0 ELSE 1 END",
}
_USAGE = {
    "charge_id": "sold.charge_id",
    "slice_id": "sold.slice_id",
    "external_key": "'usage-' || sold.slice_id",
    "charge_number": "number",
    "starts_at": "sold.starts_at",
    "held_starts_at": "sold.starts_at",
    "state": "CASE WHEN n <= 5000 THEN 'FAILED' WHEN n % 100000 = 7 THEN 'UNKNOWN' ELSE 'CONFIRMED' END",
    "is_billed": "n % 2 = 0 AND n > 5000",
    "reason": "CASE WHEN n <= 5000 THEN 'The charge ' || number || ' is not active.' ELSE '' END",
}
#: Ten hours, a day apart, of a tenth of the customers.
_OF_NOBODY = {
    "customer_id": "without.customer_id",
    "starts_at": "starts",
    "ends_at": "starts + interval '1 hour'",
}
_EXCHANGES = {
    "track_id": "'track-' || i",
    "path": "(ARRAY['/v1/accounts','/v1/orders','/v1/action/create','/object-query/accounts'])[1 + i % 4]",
    "status": "CASE WHEN i <= 50 THEN NULL WHEN i <= 5000 THEN 400 WHEN i <= 5100 THEN 503 ELSE 200 END",
    "error": "CASE WHEN i <= 5100 THEN 'refused' ELSE '' END",
    # As long as what is said of a customer: what a log looks through lies as far apart as it will.
    "body": "repeat(md5(i::text), 20)",
    "answer": "repeat(md5((i + 1)::text), 8)",
    "started_at": "now() - (1 - i::float / last_i) * interval '30 days'",
}
_AUDIT = {
    "at": "now() - (1 - i::float / last_i) * interval '300 days'",
    "actor_name": "CASE WHEN i <= 100 THEN 'founder' ELSE (ARRAY['operator','viewer','API key Shop'])[1 + i % 3] END",
    "action": "CASE WHEN i <= 100 THEN 'connect' ELSE (ARRAY['sync','retry','dismiss','preview'])[1 + i % 4] END",
    "subject": "'customer:cus_' || lpad(i::text, 9, '0')",
}
_LINES = {"key": "'customer:cus_' || i", "outcome": "CASE WHEN i <= 100 THEN 'Failed' ELSE 'Synced' END"}


def multiply(row: Model, source: str, differing: dict[str, str]) -> None:
    """Copy a row for each row of a source, but for the columns that differ."""
    options = row._meta
    fields = [field for field in options.concrete_fields if not field.generated and not field.primary_key]
    columns = [str(field.column) for field in fields]
    values = [differing.get(column, f'pattern."{column}"') for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{options.db_table}" ({names}) SELECT {", ".join(values)} '  # noqa: S608 - our own names
            f'FROM {source}, "{options.db_table}" AS pattern WHERE pattern.id = {row.pk}'
        )
        # What triggers do to the next million compares it with this one, which they would take to be a few.
        cursor.execute("ANALYZE")


#: All indexes of some tables but their primary keys, and how to make them again.
_INDEXES = """
SELECT class.relname, tables.relname, pg_get_indexdef(class.oid), pg_get_constraintdef(one.oid)
FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid
JOIN pg_class AS tables ON tables.oid = index.indrelid LEFT JOIN pg_constraint AS one ON one.conindid = class.oid
AND one.contype = 'u' WHERE NOT index.indisprimary AND tables.relname = ANY(%s) ORDER BY class.relname
"""


@contextmanager
def in_bulk(*models: type[Model]) -> Iterator[None]:
    """Fill these tables without their triggers and indexes; these are made at the end, which takes a third of the time.

    What the triggers would have noted of what nobody has asked for is noted then.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(_INDEXES, [[model._meta.db_table for model in models]])
        indexes = cursor.fetchall()
        for name, table, _, constraint in indexes:
            cursor.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"' if constraint else f'DROP INDEX "{name}"')
    yield
    with connection.cursor() as cursor:
        for name, table, index, constraint in indexes:
            cursor.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {constraint}' if constraint else index)
        cursor.execute(import_module("integrations.migrations.0016_unasked")._REBUILD)
        cursor.execute("SET session_replication_role = DEFAULT")


def fill(count: int, now: datetime) -> None:
    """Make so many customers, with all that a deployment would have of them."""
    import_module("integrations.migrations.0002_roles").make_roles(apps, connection.schema_editor())
    scene.people()
    tenant = scene.connection(now - timedelta(days=40))
    company = scene.company(now)
    build_usage(now, tenant)
    filled = (Customer, Subscription, SyncRecord, SyncJob, Slice, UnattributedUsage, UsageCharge, UsageRecord)
    with in_bulk(*filled, Delivery, Request, AuditEntry, OperationLine):
        _entities(count, company)
        _usage(count)
        _logs(count, tenant, now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _numbers(count: int) -> str:
    return f"(SELECT i, {count} AS last_i FROM generate_series(1, {count}) AS series(i)) AS numbers"  # noqa: S608


def _entities(count: int, company: scene.Company) -> None:
    customer, subscription = company.customers[0], company.subscriptions[2]
    record, job = (model.objects.get(key=f"customer:{customer.ref_id}") for model in (SyncRecord, SyncJob))
    multiply(customer, _numbers(count), _CUSTOMERS)
    first = "(SELECT min(id) - 1 AS first_id FROM customers_customer WHERE starts_with(ref_id, 'cus_')) AS firsts"
    multiply(subscription, f"{_numbers(count // 5)}, {first}", _SUBSCRIPTIONS)
    customers = _judged("customers_customer", "cus_")
    multiply(record, f"{customers} AS judgements", _records("customer"))
    judged = _judged("subscriptions_subscription", "sub_")
    pattern = SyncRecord.objects.get(key=f"subscription:{subscription.ref_id}")
    multiply(pattern, f"{judged} AS judgements", _records("subscription"))
    some = (
        f"(SELECT * FROM {customers} AS all_of_them "  # noqa: S608 - our own names
        "WHERE row_id % 5 = 0 OR judged IN ('PENDING', 'ERROR') ORDER BY row_id)"
    )
    multiply(job, f"{some} AS judgements", _JOBS)


def _usage(count: int) -> None:
    charge, record = UsageCharge.objects.get(), UsageRecord.objects.filter(is_billed=False).exclude(zuora_id="").first()
    assert record is not None
    assert record.slice is not None
    first = (
        "(SELECT min(id) - 1 AS first_id FROM subscriptions_subscription WHERE starts_with(ref_id, 'sub_')) AS firsts"
    )
    multiply(charge, f"{_numbers(count // _HOURS)}, {first}", _CHARGES)
    hours = (
        f"(SELECT charge.subscription_id, date_trunc('hour', now()) - hour * interval '1 hour' AS starts, hour "  # noqa: S608
        f"FROM integrations_usagecharge AS charge, generate_series(1, {_HOURS}) AS series(hour) "
        f"WHERE charge.id <> {charge.pk} ORDER BY hour DESC, charge.id) AS hours"
    )
    multiply(record.slice, hours, _SLICES)
    slices = (
        "(SELECT slice.id AS slice_id, charge.id AS charge_id, charge.number, slice.starts_at, "  # noqa: S608
        "row_number() OVER (ORDER BY slice.id) AS n FROM usage_slice AS slice JOIN integrations_usagecharge AS charge "
        f"USING (subscription_id) WHERE charge.id <> {charge.pk} AND slice.taken_revision = 1 "
        "ORDER BY slice.id) AS sold"
    )
    multiply(record, slices, _USAGE)
    nobodys = UnattributedUsage.objects.first()
    assert nobodys is not None
    without = (
        "(SELECT id AS customer_id, date_trunc('hour', now()) - day * interval '1 day' AS starts "
        "FROM customers_customer, generate_series(1, 10) AS series(day) "
        "WHERE starts_with(ref_id, 'cus_') AND id % 10 = 0 ORDER BY day DESC, id) AS without"
    )
    multiply(nobodys, without, _OF_NOBODY)


def _logs(count: int, tenant: Connection, now: datetime) -> None:
    job = SyncJob.objects.order_by("pk").first()
    assert job is not None
    delivery = Delivery.objects.create(
        job=job, track_id="made-up", worker="made-up", outcome=DeliveryOutcome.SENT, started_at=now, finished_at=now
    )
    jobs = "(SELECT id AS one_id FROM integrations_syncjob WHERE state <> 'WAITING' ORDER BY id) AS jobs"
    multiply(delivery, jobs, {"job_id": "one_id", "track_id": "'delivery-' || one_id"})
    exchange = Request.objects.create(
        connection=tenant, delivery=delivery, method="POST", status=200, duration_ms=80, started_at=now
    )
    spread = Delivery.objects.count() - 1
    multiply(exchange, _numbers(count), {**_EXCHANGES, "delivery_id": f"{delivery.pk} + 1 + i % {spread}"})
    entry = AuditEntry.objects.create(at=now, action="sync", actor_name="operator", subject="customer:first")
    multiply(entry, _numbers(count), _AUDIT)
    operation = Operation.objects.create(
        kind="backfill", title="Sync everything", state=OperationState.DONE, connection=tenant, total=count, done=count,
        created_at=now, not_before=now, finished_at=now,
    )  # fmt: skip
    line = OperationLine.objects.create(operation=operation, key="customer:first", outcome="Synced")
    multiply(line, _numbers(count // 5), _LINES)
