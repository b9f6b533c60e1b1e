"""What `tests.bench.rest` sells, and the same without HTTP: `python -m tests.bench.rest_rows prepare|direct COUNT`.

Started with the database to use in its environment; prints JSON.
"""

import json
import sys
import time
from collections.abc import Callable

import django

django.setup()

from django.utils import timezone  # noqa: E402 - models can be imported only now

from catalog.models import Plan  # noqa: E402
from customers import provisioning as customers  # noqa: E402
from customers.models import Customer  # noqa: E402
from integrations.models import Connection  # noqa: E402
from subscriptions import provisioning as subscriptions  # noqa: E402
from subscriptions.wanted import Content  # noqa: E402
from tests.factories.catalog import plan_with_prices  # noqa: E402


def prepare() -> None:
    """Make what is sold, and connect a tenant that nobody calls."""
    plan_with_prices(ref_id="pro")
    Connection.objects.create(
        rest_url="https://rest.example.zuora.com",
        tenant_id="1",
        client_id="made-up",
        client_secret="made-up",
        key_prefix="bench",
        connected_at=timezone.now(),
        credentials_since=timezone.now(),
    )


def direct(count: int) -> dict[str, tuple[float, list[float]]]:
    """Provision so many of each by the verbs that the API calls; return the seconds in all and of each."""
    return {
        "customers provisioned": _timed(count, _customer),
        "subscriptions provisioned": _timed(count, _subscription),
    }


def _timed(count: int, make: Callable[[int], object]) -> tuple[float, list[float]]:
    times = []
    for number in range(count):
        before = time.perf_counter()
        make(number)
        times.append(time.perf_counter() - before)
    return sum(times), times


def _customer(number: int) -> None:
    details = customers.Details(
        name=f"Customer {number}",
        email=f"direct-{number}@billing.example",
        billing_currency="EUR",
        billing_line1="Weg 1",
        billing_city="Berlin",
        billing_postal_code="10115",
        billing_country="DE",
        metadata={"region": "emea"},
    )
    customers.provision(ref_id=f"direct-{number}", details=details)


def _subscription(number: int) -> None:
    order = subscriptions.Order(
        customer=Customer.objects.get(ref_id=f"direct-{number}"),
        plan=Plan.objects.select_related("product").get(ref_id="pro"),
        ref_id=f"direct-{number}",
        content=Content(billing_period="MONTHLY"),
    )
    subscriptions.provision(order=order, now=timezone.now())


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare()
    else:
        print(json.dumps(direct(int(sys.argv[2]))))
