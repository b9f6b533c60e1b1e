"""The table of usage under measurement, beside the web server: `python -m tests.bench.usage_table prepare|copy|read`.

Started by `tests.bench.usage_in` with the database to use in its environment; prints JSON.
"""

import json
import sys
import time
from datetime import datetime, timedelta
from itertools import product

import django

django.setup()

from django.db import connection, transaction  # noqa: E402 - models can be imported only now
from django.db.models import Sum  # noqa: E402

from catalog.models import BillingModel, Feature  # noqa: E402
from customers.models import Customer  # noqa: E402
from tests.bench.usage_in import CUSTOMERS, FEATURES, START, usage  # noqa: E402
from tests.factories.catalog import PlanFactory, price  # noqa: E402
from tests.factories.customers import CustomerFactory  # noqa: E402
from tests.factories.subscriptions import SubscriptionFactory  # noqa: E402
from tests.factories.usage import MeteredFeatureFactory  # noqa: E402
from usage.closing import close  # noqa: E402
from usage.counting import Source, used  # noqa: E402
from usage.models import DirtyHour, Slice, UsageEvent  # noqa: E402
from usage.storing import Hour, note_hours  # noqa: E402
from usage.windows import Window  # noqa: E402

_COLUMNS = (
    "idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value, dimensions, "
    "occurred_at, received_at"
)
_CHUNK = 500_000
_READINGS = 200
_CLOSINGS = 20


def prepare() -> None:
    """Make what usage is reported of, and subscriptions that are charged for all of it."""
    plan = PlanFactory.create(ref_id="metered")
    for number in range(FEATURES):
        feature = MeteredFeatureFactory.create(ref_id=f"feature-{number}")
        price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    for number in range(CUSTOMERS):
        customer = CustomerFactory.create(ref_id=f"customer-{number}")
        SubscriptionFactory.create(ref_id=customer.ref_id, customer=customer, plan=plan, start_date=START)


def copy(count: int) -> tuple[float, list[float]]:
    """Put so many rows into the table by one COPY; return the seconds that it took."""
    customers = dict(Customer.objects.values_list("ref_id", "pk"))
    features = dict(Feature.objects.values_list("ref_id", "pk"))
    lines = []
    for row in map(usage, range(count)):
        known = f"{customers[row['customerId']]}\t{features[row['featureId']]}"
        times = f"{row['createdAt']}\t{row['createdAt']}"
        lines.append(f"{row['idempotencyKey']}\t{known}\t\t\tDELTA\t{row['value']}\t{{}}\t{times}\n")
    data = "".join(lines).encode()
    with connection.cursor() as cursor:
        started = time.perf_counter()
        with cursor.copy(f"COPY usage_usageevent ({_COLUMNS}) FROM STDIN") as rows:
            rows.write(data)
        seconds = time.perf_counter() - started
    return seconds, [seconds]


def fill(upto: int) -> None:
    """Fill the table up to so many events: an event each 250 milliseconds, of all customers and features in turn."""
    stored = UsageEvent.objects.count()
    with connection.cursor() as cursor:
        for first in range(stored, upto, _CHUNK):
            cursor.execute(
                f"INSERT INTO usage_usageevent ({_COLUMNS}) "  # noqa: S608 - our own names
                "SELECT gen_random_uuid()::text, c.id, f.id, '', '', 'DELTA', i %% 97 + 0.25, '{}', "
                "%s + i * interval '250 milliseconds', %s FROM generate_series(%s::bigint, %s::bigint) AS i "
                "JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM customers_customer) c ON c.n = i %% %s "
                "JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM catalog_feature) f ON f.n = i %% %s",
                [START, START, first + 1, min(first + _CHUNK, upto), CUSTOMERS, FEATURES],
            )
        cursor.execute("VACUUM (ANALYZE) usage_usageevent")


def read(size: int) -> dict[str, object]:
    """Read one hour of one customer's feature as closing does; return how long that took, and PostgreSQL's plan."""
    # In the middle of what `fill` has put there, where nothing else has.
    start = (START + size // 2 * timedelta(milliseconds=250)).replace(minute=0, second=0, microsecond=0)
    window = Window(start, start + timedelta(hours=1))
    customer, feature = Customer.objects.get(ref_id="customer-0").pk, Feature.objects.get(ref_id="feature-0").pk
    seconds, events = [], 0
    for _ in range(_READINGS):
        started = time.perf_counter()
        events = used(Source(customer, feature, ""), window).events
        seconds.append(time.perf_counter() - started)
    rows = UsageEvent.objects.filter(
        customer_id=customer,
        feature_id=feature,
        resource_id="",
        occurred_at__gte=window.start,
        occurred_at__lt=window.end,
    )
    plan = rows.values("value").explain(analyze=True, buffers=True)
    return {"events": events, "seconds": seconds, "plan": plan, "closing": close_hour(window.start)}


def close_hour(start: datetime) -> dict[str, object]:
    """Close an hour in which every customer used every feature; return how long it takes, and undo it."""
    sources = product(Customer.objects.values_list("pk", flat=True), Feature.objects.values_list("pk", flat=True))
    hours = [Hour(customer, feature, "", start) for customer, feature in sources]
    end, seconds = start + timedelta(hours=1), []
    for _ in range(_CLOSINGS):
        with transaction.atomic():
            DirtyHour.objects.all().delete()
            note_hours(hours=hours, now=end)
            started = time.perf_counter()
            close(upto=end, now=end)
            seconds.append(time.perf_counter() - started)
            events = Slice.objects.aggregate(events=Sum("event_count"))["events"]
            transaction.set_rollback(True)
    return {"events": events, "seconds": seconds}


def main() -> None:
    action, *count = sys.argv[1:]
    if action == "prepare":
        prepare()
    elif action == "copy":
        print(json.dumps(copy(int(*count))))
    else:
        fill(int(*count))
        print(json.dumps(read(int(*count))))


if __name__ == "__main__":
    main()
