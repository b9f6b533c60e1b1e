"""Fills the database of `tests.bench.usage_growth`: `prepare`, and `fill SIZE`.

An event each three seconds, back from the running hour: fifty customers use four features in turn, by DELTA, by raw
events and a meter, and one of them by SET as well; one more customer has no subscription, and nobody is charged.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module

import django

django.setup()

from django.apps import apps  # noqa: E402 - models can be imported only now
from django.db import connection  # noqa: E402
from django.db.models import Max  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.models import BillingModel, Feature, MeterType  # noqa: E402
from integrations.models import EntityKind, SyncRecord, SyncStatus, UsageCharge  # noqa: E402
from integrations.zuora.mapping import keys  # noqa: E402
from tests.browser import scene  # noqa: E402
from tests.factories.catalog import PlanFactory, price  # noqa: E402
from tests.factories.customers import CustomerFactory  # noqa: E402
from tests.factories.subscriptions import SubscriptionFactory  # noqa: E402
from tests.factories.usage import MeteredFeatureFactory, MeterFactory  # noqa: E402
from usage.models import Aggregation, MeterVersion, UsageEvent  # noqa: E402

CUSTOMERS = 50
#: Two are told by DELTA; the third by SET too, and it stays in use; the fourth is what a meter counts in raw events.
FEATURES = ("calls", "minutes", "seats", "bytes")
PER_HOUR = 1200
HOUR = timedelta(hours=1)
_EVERY = HOUR / PER_HOUR
_TABLES = ("usage_usageevent", "usage_slice", "usage_unattributedusage", "integrations_usagerecord")


def last_hour() -> datetime:
    """Return the beginning of the hour that is measured: the last one with events, which was not closed yet."""
    last: datetime | None = UsageEvent.objects.aggregate(last=Max("occurred_at"))["last"]
    assert last is not None
    return last.replace(minute=0, second=0, microsecond=0)


def prepare() -> None:
    """Make whoever uses something, and what is known of them in Zuora."""
    import_module("integrations.migrations.0002_roles").make_roles(apps, connection.schema_editor())
    scene.people()
    now = timezone.now().replace(minute=0, second=0, microsecond=0)  # periods begin with an hour
    plan = PlanFactory.create(ref_id="metered")
    prices = []
    for name in FEATURES:
        meter_type = MeterType.FLUCTUATING if name == "seats" else MeterType.INCREMENTAL
        feature = MeteredFeatureFactory.create(ref_id=name, meter_type=meter_type)
        prices.append(price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1}))
    meter = MeterFactory.create(feature=Feature.objects.get(ref_id="bytes"), aggregation=Aggregation.SUM, field="size")
    MeterVersion.of(meter).save()
    CustomerFactory.create(ref_id="nobody")
    sold = [
        SubscriptionFactory.create(
            ref_id=f"customer-{number}",
            customer=CustomerFactory.create(ref_id=f"customer-{number}"),
            plan=plan,
            start_date=now - timedelta(days=500),
        )
        for number in range(CUSTOMERS)
    ]
    tenant = scene.connection(now - timedelta(days=500))  # last: nobody is to be rung for
    kind = EntityKind.SUBSCRIPTION
    SyncRecord.objects.bulk_create(
        SyncRecord(
            connection=tenant,
            key=f"subscription:{one.ref_id}",
            kind=kind,
            root_kind=kind,
            root_id=one.pk,
            status=SyncStatus.SUCCESS,
            status_since=now,
            zuora_id=f"{one.pk:032x}",
            zuora_number=f"stigg--{one.ref_id}",
        )
        for one in sold
    )
    UsageCharge.objects.bulk_create(
        UsageCharge(
            connection=tenant,
            subscription=one,
            key=keys.charge_key(keys.package_key(plan), priced),
            catalog_id=f"{priced.pk:032x}",
            number=f"C-{one.pk * 10 + place:08d}",
            unit="calls",
        )
        for one in sold
        for place, priced in enumerate(prices)
    )


def fill(upto: int) -> dict[str, object]:
    """Put in older events up to so many, of whole hours, and what they have become; return how large it is."""
    started = time.monotonic()
    upto += -upto % PER_HOUR
    stored = UsageEvent.objects.count()
    end = last_hour() + HOUR if stored else timezone.now().replace(minute=0, second=0, microsecond=0)
    hours = [end - upto * _EVERY, end - (stored * _EVERY or HOUR)]  # the last hour is left: it is the one measured
    before = _definitions()
    with _without_indexes(), connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"end": end, "every": str(_EVERY), "first": stored, "last": upto - 1})
        for statement in (_SLICES, _UNATTRIBUTED, _RECORDS):
            cursor.execute(statement, hours)
    if _definitions() != before:
        raise RuntimeError("The tables have not the indexes any more that the migrations gave them.")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")
        sizes = {}
        for table in _TABLES:
            cursor.execute(
                f"SELECT count(*), pg_total_relation_size('{table}') FROM {table}"  # noqa: S608 - our own names
            )
            rows, size = cursor.fetchone()
            sizes[table] = {"rows": rows, "mb": size // 2**20}
    return {"seconds": round(time.monotonic() - started), "tables": sizes}


_WHO = "(SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM customers_customer) AS customer"
_WHAT = "(SELECT id, ref_id, row_number() OVER (ORDER BY id) - 1 AS n FROM catalog_feature) AS feature"
_IN_TURN = f"customer.n = i %% {CUSTOMERS + 1} AND feature.n = i / {CUSTOMERS + 1} %% {len(FEATURES)}"
_IS_RAW = "feature.ref_id = 'bytes'"
_IS_SET = f"feature.ref_id = 'seats' AND customer.n = 2 AND i / {(CUSTOMERS + 1) * len(FEATURES)} %% 50 = 0"
_EVENTS = f"""
INSERT INTO usage_usageevent (idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value,
  dimensions, occurred_at, received_at)
SELECT gen_random_uuid()::text, customer.id, CASE WHEN {_IS_RAW} THEN NULL ELSE feature.id END,
  CASE WHEN {_IS_RAW} THEN 'upload' ELSE '' END, '', CASE WHEN {_IS_SET} THEN 'SET' ELSE 'DELTA' END,
  CASE WHEN {_IS_RAW} THEN NULL ELSE i %% 97 + 0.25 END,
  CASE WHEN {_IS_RAW} THEN jsonb_build_object('size', i %% 97 + 0.25) ELSE '{{}}' END,
  %(end)s - (i + 0.5) * %(every)s::interval, %(end)s - i * %(every)s::interval
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS series(i), {_WHO}, {_WHAT} WHERE {_IN_TURN}"""  # noqa: S608 - ours
_HOURS = """
SELECT event.customer_id, coalesce(event.feature_id, metered.feature_id) AS feature_id,
  date_trunc('hour', occurred_at) AS hour, sum(coalesce(value, (dimensions ->> 'size')::numeric)) AS quantity,
  count(*) AS events
FROM usage_usageevent AS event, (SELECT min(feature_id) AS feature_id FROM usage_meter) AS metered
WHERE occurred_at >= %s AND occurred_at < %s
GROUP BY 1, 2, 3 ORDER BY 3, 1, 2"""
_SLICES = f"""
INSERT INTO usage_slice (subscription_id, price_id, starts_at, ends_at, change, carry, quantity, event_count, revision,
  taken_revision, closed_at)
SELECT sold.id, price.id, hour, hour + interval '1 hour', hours.quantity, 0, hours.quantity, events, 1, 1,
  hour + interval '65 minutes'
FROM ({_HOURS}) AS hours JOIN subscriptions_subscription AS sold USING (customer_id)
JOIN catalog_price AS price USING (feature_id)"""  # noqa: S608 - ours
_UNATTRIBUTED = f"""
INSERT INTO usage_unattributedusage (customer_id, feature_id, resource_id, starts_at, ends_at, change, event_count,
  noted_at)
SELECT customer_id, feature_id, '', hour, hour + interval '1 hour', hours.quantity, events, hour + interval '65 minutes'
FROM ({_HOURS}) AS hours
WHERE customer_id NOT IN (SELECT customer_id FROM subscriptions_subscription)"""  # noqa: S608 - ours
_RECORDS = """
INSERT INTO integrations_usagerecord (connection_id, charge_id, slice_id, external_key, charge_number, starts_at,
  wanted, taken, sent, sent_starts_at, held, held_starts_at, zuora_id, state, is_billed, owed, revision, attempts,
  not_before, reason, cure, accepted_at, confirmed_at)
SELECT charge.connection_id, charge.id, slice.id, 'usage-' || slice.id, charge.number, slice.starts_at,
  quantity, 0, quantity, slice.starts_at, quantity, slice.starts_at, md5(slice.id::text), 'CONFIRMED', true, 0, 1, 1,
  closed_at, '', '', closed_at, closed_at
FROM usage_slice AS slice JOIN integrations_usagecharge AS charge ON charge.subscription_id = slice.subscription_id
  AND charge.catalog_id = lpad(to_hex(slice.price_id), 32, '0')
WHERE slice.starts_at >= %s AND slice.starts_at < %s
ORDER BY slice.id"""


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Take away what checks and finds each row by itself, and put it back; the rows are right by how they are made."""
    names = ", ".join(f"'{table}'::regclass" for table in _TABLES)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no foreign key is looked up row by row
        cursor.execute("SET maintenance_work_mem = '1GB'")
        cursor.execute("SET work_mem = '512MB'")
        for setting in ("max_wal_size = '8GB'", "checkpoint_timeout = '30min'"):
            cursor.execute(f"ALTER SYSTEM SET {setting}")
        cursor.execute("SELECT pg_reload_conf()")
        cursor.execute(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "  # noqa: S608 - ours
            f"WHERE conrelid IN ({names}) AND contype = 'u' ORDER BY 1, 2"
        )
        constraints = cursor.fetchall()
        for table, name, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        cursor.execute(
            "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index "  # noqa: S608 - ours
            f"WHERE indrelid IN ({names}) AND NOT indisprimary ORDER BY 1"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        for table, name, definition in constraints:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        for _, definition in indexes:
            cursor.execute(definition)


def _definitions() -> list[tuple[str, ...]]:
    """Return all that the tables have of indexes and constraints."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)", [list(_TABLES)])
        found = cursor.fetchall()
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ANY(%s::regclass[])",
            [list(_TABLES)],
        )
        return sorted(found + cursor.fetchall())


def main() -> None:
    action, *size = sys.argv[1:]
    if action == "prepare":
        prepare()
    else:
        print(json.dumps(fill(int(*size))))


if __name__ == "__main__":
    main()
