"""Subscriptions that pay by usage, as after their first hour: one comes the whole way, the others are copies of it.

A copy is the same rows on both sides under names of its own, in the database and in the stand-in's data file.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Model

from catalog.models import BillingModel, Price
from customers.models import Customer
from integrations.models import EntityKind, SyncRecord, UsageCharge, UsageRecord, UsageState
from integrations.tasks import usage_hourly
from subscriptions.models import Subscription
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.processes.deployment import Deployment
from tests.processes.sales import FORCED
from usage.models import Slice
from usage.reporting import MAX_BATCH, UsageReport, report_usage

FEATURE = "api-calls"
_TEMPLATE = "metered-template"
_OF_CUSTOMERS = ("Account", "Contact", "Subscription")
_OF_CATALOG = ("Product", "ProductRatePlan", "ProductRatePlanCharge", "ProductRatePlanChargeTier", "UnitOfMeasure")
_ID = re.compile(r"\b[0-9a-f]{32}\b")
_CHARGE_NUMBER = re.compile(r"\bC-\d{8}\b")
_SECONDS = 120.0

M = TypeVar("M", bound=Model)


def make_metered(deployment: Deployment, count: int, *, now: datetime) -> None:
    """Make so many subscriptions; a worker runs, and the stand-in is started anew with them."""
    _make_template(deployment, now)
    rows = [(table, row) for table in _OF_CUSTOMERS for row in deployment.rows(table)]
    copy = _copier(rows, {row["Id"] for table in _OF_CATALOG for row in deployment.rows(table)})
    deployment.standin.terminate()
    with deployment.data.open("a") as file:
        for number in range(count):
            changes = [[table, made["Id"], made] for table, row in rows for made in [copy(row, number)]]
            file.write(json.dumps({"changes": changes, "sequences": {}}) + "\n")
    deployment.start_standin()
    customer, subscription = Customer.objects.get(), Subscription.objects.get()
    customers = Customer.objects.bulk_create(_copied(customer, number, copy) for number in range(count))
    subscriptions = Subscription.objects.bulk_create(
        _copied(subscription, number, copy, customer_id=one.pk) for number, one in enumerate(customers)
    )
    for kind, made in ((EntityKind.CUSTOMER, customers), (EntityKind.SUBSCRIPTION, subscriptions)):
        for record in SyncRecord.objects.filter(kind=kind):
            SyncRecord.objects.bulk_create(
                _copied(record, number, copy, root_id=one.pk) for number, one in enumerate(made)
            )
    charge = UsageCharge.objects.get()
    UsageCharge.objects.bulk_create(
        _copied(charge, number, copy, subscription_id=one.pk) for number, one in enumerate(subscriptions)
    )


def use(hour: datetime, *, most: int, now: datetime) -> None:
    """Report usage of so many subscriptions, but the first, in that hour."""
    names = Customer.objects.exclude(ref_id=_TEMPLATE).order_by("pk").values_list("ref_id", flat=True)
    reports = [_report(name, hour) for name in names[:most]]
    for start in range(0, len(reports), MAX_BATCH):
        report_usage(reports=dict(enumerate(reports[start : start + MAX_BATCH])), now=now)


def slice_up(hours: list[datetime], *, now: datetime) -> int:
    """Make the slices that closing would make of usage in each of these hours; return how many."""
    priced = Price.objects.get(feature__ref_id=FEATURE)
    sold = Subscription.objects.exclude(ref_id=_TEMPLATE).order_by("pk")
    slices = Slice.objects.bulk_create(
        (
            Slice(
                subscription=one,
                price=priced,
                starts_at=hour,
                ends_at=hour + timedelta(hours=1),
                change=Decimal(3),
                quantity=Decimal(3),
                event_count=1,
                closed_at=now,
            )
            for hour in hours
            for one in sold
        ),
        batch_size=1000,
    )
    return len(slices)


def _report(customer: str, hour: datetime) -> UsageReport:
    at = hour + timedelta(minutes=30)
    return UsageReport(customer=customer, feature=FEATURE, value=Decimal(3), key=f"{customer}-{at.isoformat()}", at=at)


def _make_template(deployment: Deployment, now: datetime) -> None:
    plan = PlanFactory.create(ref_id="metered", metadata=FORCED)
    feature = MeteredFeatureFactory.create(ref_id=FEATURE, units_plural="API calls")
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    customer = CustomerFactory.create(ref_id=_TEMPLATE, payment_method_id="", metadata=FORCED)
    SubscriptionFactory.create(
        ref_id=_TEMPLATE, customer=customer, plan=plan, start_date=now - timedelta(days=20), metadata=FORCED
    )
    linked = SyncRecord.objects.filter(kind=EntityKind.SUBSCRIPTION).exclude(zuora_id="")
    deployment.wait_until(linked.exists, "the first subscription", seconds=_SECONDS)
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    report_usage(reports={0: _report(_TEMPLATE, first)}, now=now)
    usage_hourly.apply_async(queue="usage")
    accepted = UsageRecord.objects.filter(state__in=[UsageState.ACCEPTED, UsageState.CONFIRMED])
    deployment.wait_until(accepted.exists, "the first hour of usage", seconds=_SECONDS)


def _copier(rows: list[tuple[str, Any]], shared: set[str]) -> Callable[[Any, int], Any]:
    """Return what gives a value's copy of a number: other names, ids and charge numbers, but the catalog's stay."""
    own = set(_ID.findall(json.dumps(rows))) - shared

    def copy(value: Any, number: int) -> Any:
        def renamed(found: re.Match[str]) -> str:
            text = found.group()
            return hashlib.md5(f"{number} {text}".encode()).hexdigest() if text in own else text  # noqa: S324 - a name

        text = json.dumps(value).replace(_TEMPLATE, f"metered-{number:06d}")
        return json.loads(_CHARGE_NUMBER.sub(f"C-{number + 1000:08d}", _ID.sub(renamed, text)))

    return copy


def _copied(row: M, number: int, copy: Callable[[Any, int], Any], **changes: Any) -> M:
    """Return the row's copy of that number, not saved."""
    fields = [one for one in row._meta.concrete_fields if not (one.primary_key or one.generated)]
    values = {one.attname: getattr(row, one.attname) for one in fields}
    renamed = {name: copy(value, number) for name, value in values.items() if isinstance(value, str | dict | list)}
    return type(row)(**values | renamed | changes)
