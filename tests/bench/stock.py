"""The rows that the benchmark pushes, made in bulk: such saves send no signal, so nothing is pushed before its time."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from catalog.models import BillingModel, BillingPeriod, PackageStatus, Plan, Price, PriceAmount, PricingType, Product
from customers.models import Customer
from subscriptions.models import Subscription
from tests.processes.sales import FORCED

_CHUNK = 1000
T = TypeVar("T")


def make_plans(count: int) -> None:
    """Make published plans, each with one monthly price in one currency."""
    product = Product.objects.create(ref_id="bench", display_name="Bench")
    plans = Plan.objects.bulk_create(
        Plan(
            ref_id=f"bench-plan-{number:05d}",
            display_name=f"Plan {number}",
            product=product,
            pricing_type=PricingType.PAID,
            status=PackageStatus.PUBLISHED,
        )
        for number in range(count)
    )
    prices = Price.objects.bulk_create(
        Price(plan=plan, billing_model=BillingModel.FLAT_FEE, billing_period=BillingPeriod.MONTHLY) for plan in plans
    )
    PriceAmount.objects.bulk_create(PriceAmount(price=price, currency="EUR", amount=10) for price in prices)


def make_customers(count: int) -> None:
    """Make customers, each with one subscription of one of the plans.

    They are synced without a payment method, because of their metadata: what would have to be made in Zuora before is
    no part of the measurement.
    """
    plans = list(Plan.objects.order_by("pk"))
    for numbers in _chunks(range(count)):
        customers = Customer.objects.bulk_create(
            Customer(
                ref_id=f"bench-customer-{number:06d}",
                name=f"Customer {number}",
                email=f"customer-{number}@billing.example",
                billing_currency="EUR",
                billing_line1="Beispielweg 1",
                billing_city="Berlin",
                billing_postal_code="10115",
                billing_country="DE",
                metadata=FORCED,
            )
            for number in numbers
        )
        Subscription.objects.bulk_create(
            Subscription(
                ref_id=customer.ref_id,
                customer=customer,
                plan=plans[number % len(plans)],
                plan_version_number=1,
                billing_period=BillingPeriod.MONTHLY,
                start_date=datetime(2026, 1, 1, tzinfo=UTC),
            )
            for number, customer in zip(numbers, customers, strict=True)
        )


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(rows)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
