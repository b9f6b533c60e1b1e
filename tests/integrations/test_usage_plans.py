"""Closing, sending, confirming and comparing usage read no table as a whole that never stops growing.

Few events are stored, and PostgreSQL plans as if there were a thousand times as many: what it means to do is looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from django.db import connection

from catalog.models import BillingModel
from integrations import usage_delivery, usage_reconcile
from integrations.models import UsageRecord, UsageState
from subscriptions.models import PastTerms, Subscription, SubscriptionStatus
from tests.factories.catalog import price
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory, MeterFactory
from tests.integrations.usage_world import START, UsageWorld, tenant
from tests.plans import GROWING, seem_to_have_grown, whole_tables_read
from usage.models import Aggregation, Meter, MeterVersion
from usage.reporting import RawEvent, report_events
from usage.storing import Hour, note_hours

__all__ = ["tenant"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the plans are PostgreSQL's"),
]

#: So many hours, eight apart, were used, closed, sent and billed before the first one that is to be closed.
LONG = 500
APART = timedelta(hours=8)
FRESH = START - timedelta(hours=30)
METERS = {"bytes": Aggregation.SUM, "peak": Aggregation.MAX, "people": Aggregation.UNIQUE}


class Old:
    """Three who have used something for a long time, and what became of it; nobody pays for what a fourth used."""

    def __init__(self, tenant: UsageWorld) -> None:
        self.tenant = tenant
        self.features = {"calls": tenant.feature}
        for name, aggregation in METERS.items():
            feature = MeteredFeatureFactory.create(ref_id=name)
            price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
            MeterVersion.of(MeterFactory.create(feature=feature, aggregation=aggregation, field="n")).save()
            self.features[name] = feature
        since = FRESH - LONG * APART
        self.sold = [tenant.sell(name, sync=False, start_date=since) for name in ("a", "b", "c")]
        self.nobody = CustomerFactory.create(ref_id="nobody")
        tenant.settle()
        self.use([FRESH])
        tenant.quiet()

    def fill(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # no foreign key is looked up row by row
            for statement in _FILL:
                cursor.execute(statement, {"upto": FRESH, "last": LONG - 1, "nobody": self.nobody.pk})
            cursor.execute("SET LOCAL session_replication_role = origin")
            cursor.execute(f"ANALYZE {', '.join(GROWING)}, subscriptions_subscription")
        seem_to_have_grown(times=1000)

    def use(self, hours: Sequence[datetime]) -> None:
        """Use something of each in each of these hours."""
        for one in self.sold:
            for at in hours:
                self.tenant.use(one, 3, at=at)
            events = [
                RawEvent(customer=one.customer.ref_id, name="e", key=f"{one.pk}-{at}", at=at, dimensions={"n": 7})
                for at in hours
            ]
            report_events(events=dict(enumerate(events)), now=self.tenant.now)

    def note(self) -> None:
        """Have many old hours closed again."""
        hours = [FRESH - number * APART for number in range(1, 100)]
        of = [(one.customer_id, feature.pk) for one in self.sold for feature in self.features.values()]
        note_hours(hours=[Hour(*whose, "", at) for whose in of for at in hours], now=START)

    def change_terms(self) -> None:
        """One was handed over meanwhile, one was cancelled, and somebody has bought who had used something before."""
        handed_over, cancelled, _ = self.sold
        PastTerms.objects.create(
            subscription=handed_over,
            customer=self.nobody,
            plan=self.tenant.plan,
            plan_version_number=1,
            billing_period=handed_over.billing_period,
            starts_at=handed_over.start_date,
            ends_at=START - timedelta(days=2, minutes=20),
        )
        ended = START - timedelta(days=4, minutes=20)
        Subscription.objects.filter(pk=cancelled.pk).update(status=SubscriptionStatus.CANCELED, cancellation_date=ended)
        self.tenant.sell("late", sync=False, customer=self.nobody, resource_id="r1", start_date=ended)


# ruff: noqa: S608 - our own words
_AT = "%(upto)s - i * interval '8 hours'"
_I = "generate_series(1, %(last)s) AS i"
_FILL = [
    f"""
INSERT INTO usage_usageevent (idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value,
  dimensions, occurred_at, received_at)
SELECT gen_random_uuid()::text, sold.customer_id, feature.id, CASE WHEN feature.id IS NULL THEN 'e' ELSE '' END, '',
  'DELTA', CASE WHEN feature.id IS NULL THEN NULL ELSE 1 END, '{{"n": 1}}', {_AT} + part * interval '9 minutes', {_AT}
FROM {_I}, generate_series(1, 2) AS part, subscriptions_subscription AS sold,
  (SELECT id FROM catalog_feature WHERE ref_id = 'api-calls' UNION ALL SELECT NULL) AS feature""",
    f"""
INSERT INTO usage_slice (subscription_id, price_id, starts_at, ends_at, change, carry, quantity, event_count, revision,
  taken_revision, closed_at)
SELECT sold.id, price.id, {_AT}, {_AT} + interval '1 hour', 2, 0, 2, 2, 1, 1, {_AT}
FROM {_I}, subscriptions_subscription AS sold, catalog_price AS price WHERE price.billing_model = 'USAGE_BASED'""",
    f"""
INSERT INTO integrations_usagebatch (connection_id, action, idempotency_key, body, record_ids, import_id, state,
  attempts, not_before, sent_at, claimed_by, reason, finished_at)
SELECT connection.id, 'create', 'old-' || i, '', '[]', '', 'DONE', 1, {_AT}, {_AT}, '', '', {_AT}
FROM {_I}, integrations_connection AS connection""",
    """
INSERT INTO integrations_usagerecord (connection_id, charge_id, slice_id, external_key, charge_number, starts_at,
  wanted, taken, sent, sent_starts_at, held, held_starts_at, zuora_id, state, is_billed, owed, revision, attempts,
  not_before, batch_id, reason, cure, accepted_at, confirmed_at)
SELECT charge.connection_id, charge.id, slice.id, 'usage-' || slice.id, charge.number, slice.starts_at, quantity, 0,
  quantity, slice.starts_at, quantity, slice.starts_at, md5(slice.id::text), 'CONFIRMED', true, 0, 1, 1, closed_at,
  batch.first + slice.id %% 400, '', '', closed_at, closed_at
FROM usage_slice AS slice JOIN (
  SELECT DISTINCT made.subscription_id, made.price_id, record.charge_id FROM usage_slice AS made
  JOIN integrations_usagerecord AS record ON record.slice_id = made.id
) AS known USING (subscription_id, price_id) JOIN integrations_usagecharge AS charge ON charge.id = known.charge_id,
(SELECT min(id) + 20 AS first FROM integrations_usagebatch) AS batch WHERE slice.starts_at < %(upto)s""",
    f"""
INSERT INTO usage_unattributedusage (customer_id, feature_id, resource_id, starts_at, ends_at, change, event_count,
  noted_at)
SELECT %(nobody)s, feature.id, 'r' || part, {_AT}, {_AT} + interval '1 hour', 1, 1, {_AT}
FROM {_I}, generate_series(1, 8) AS part, catalog_feature AS feature WHERE feature.ref_id = 'api-calls'""",
    f"""
INSERT INTO usage_countedrun (customer_id, feature_id, resource_id, subscription_id, since, basis)
SELECT sold.customer_id, feature.id, 'r' || part, sold.id, {_AT}, ''
FROM {_I}, generate_series(1, 3) AS part, subscriptions_subscription AS sold, catalog_feature AS feature
WHERE feature.ref_id = 'peak'""",
    """
INSERT INTO usage_countedwindow (run_id, starts_at, ends_at, events, count, total_count, change)
SELECT id, since, since + interval '1 hour', 1, 1, 1, 1 FROM usage_countedrun""",
    """
INSERT INTO usage_countedvalue (run_id, value, first_at) SELECT id, gen_random_uuid(), since FROM usage_countedrun""",
]


@contextmanager
def watched(found: dict[str, list[str]], what: str) -> Iterator[None]:
    with whole_tables_read() as whole:
        yield
    if whole:
        found[what] = whole


def test_no_growing_table_is_read_as_a_whole(tenant: UsageWorld) -> None:
    old = Old(tenant)
    old.fill()
    found: dict[str, list[str]] = {}
    old.use([FRESH + timedelta(hours=number) for number in range(1, 13)])
    with watched(found, "close"):
        assert tenant.close().hours > 0
    old.note()
    with watched(found, "close again"):
        assert tenant.close().hours > 0
    with watched(found, "push"):
        tenant.push()
    with watched(found, "sweep"):
        tenant.sweep()
    assert UsageRecord.objects.filter(state=UsageState.CONFIRMED, is_billed=False).count() > 50
    UsageRecord.objects.filter(connection=tenant.world.connection).read_again(now=tenant.now)
    with watched(found, "read again"):
        tenant.sweep()
    a, *_ = old.sold
    tenant.use(a, 9, at=FRESH - 2 * APART)
    tenant.use(a, 1, at=FRESH - APART, how="SET")
    with watched(found, "one's, after it was billed"):
        usage_delivery.push_one(
            connection=tenant.world.connection,
            subscription=a,
            clock=tenant.world.clock,
            open_client=lambda _: tenant.world.client,
        )
    with watched(found, "push what was billed"):
        tenant.push()
    with watched(found, "meter"):
        for name in METERS:
            meter = Meter.objects.get(feature=old.features[name])
            meter.field = "m"
            meter.save()
        tenant.close()
    with watched(found, "terms"):
        old.change_terms()
        tenant.push()
    with watched(found, "compare"):
        list(
            usage_reconcile.reconcile_usage(
                connection=tenant.world.connection, client=tenant.world.client, now=tenant.now
            )
        )
    assert found == {}
