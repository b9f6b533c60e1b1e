"""The table of usage under measurement, beside the web server: `python -m tests.bench.usage_table prepare|copy`.

Started by `tests.bench.usage_in` with the database to use in its environment; prints JSON.
"""

import json
import sys
import time

import django

django.setup()

from django.db import connection  # noqa: E402 - models can be imported only now

from catalog.models import BillingModel, Feature  # noqa: E402
from customers.models import Customer  # noqa: E402
from tests.bench.usage_in import CUSTOMERS, FEATURES, START, usage  # noqa: E402
from tests.factories.catalog import PlanFactory, price  # noqa: E402
from tests.factories.customers import CustomerFactory  # noqa: E402
from tests.factories.subscriptions import SubscriptionFactory  # noqa: E402
from tests.factories.usage import MeteredFeatureFactory  # noqa: E402

_COLUMNS = (
    "idempotency_key, customer_id, feature_id, event_name, resource_id, update_behavior, value, dimensions, "
    "occurred_at, received_at"
)


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


def main() -> None:
    action, *count = sys.argv[1:]
    if action == "prepare":
        prepare()
    else:
        print(json.dumps(copy(int(*count))))


if __name__ == "__main__":
    main()
