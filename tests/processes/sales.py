"""What the application saves in these tests, a few rows at a time."""

from collections.abc import Iterable
from decimal import Decimal

from django.db import transaction

from catalog.models import BillingModel, PackageStatus, Plan, PriceAmount
from customers.models import Customer
from subscriptions.models import Subscription, SubscriptionQuantity
from tests.factories.catalog import FeatureFactory, PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory, SubscriptionQuantityFactory

#: A customer of this metadata is synced whether it has a subscription or not.
FORCED = {"ZUORA__Segment": "made-up"}


def publish(refs: Iterable[str]) -> None:
    """Publish plans, each with a charge per seat in a unit of its own."""
    for ref in refs:
        plan = PlanFactory.create(ref_id=ref, status=PackageStatus.DRAFT)
        price(plan, billing_model=BillingModel.PER_UNIT, feature=FeatureFactory.create(units_plural=f"{ref} seats"))
        plan.status = PackageStatus.PUBLISHED
        plan.save()


def change_prices(refs: Iterable[str]) -> None:
    for ref in refs:
        amount = PriceAmount.objects.get(price__plan__ref_id=ref)
        amount.amount = Decimal("12.50")
        amount.save()


def sign_up(refs: Iterable[str]) -> None:
    """Make customers that are synced before they have a subscription."""
    for ref in refs:
        CustomerFactory.create(ref_id=ref, payment_method_id="", metadata=FORCED)


def move(refs: Iterable[str]) -> None:
    for customer in Customer.objects.filter(ref_id__in=refs).order_by("ref_id"):
        customer.billing_city = "Bremen"
        customer.save()


def subscribe(refs: Iterable[str], *, plan: str = "pro") -> None:
    """Make a subscription of the plan for each of these customers, under the customer's reference."""
    for customer in Customer.objects.filter(ref_id__in=refs).order_by("ref_id"):
        sell(customer.ref_id, customer=customer, plan=plan)


@transaction.atomic
def sell(ref: str, *, customer: Customer, plan: str, payer: Customer | None = None) -> Subscription:
    """Make one subscription with three seats."""
    sold = Plan.objects.get(ref_id=plan)
    subscription = SubscriptionFactory.create(ref_id=ref, plan=sold, customer=customer, paying_customer=payer)
    SubscriptionQuantityFactory.create(subscription=subscription, feature=sold.prices.get().feature, quantity=3)
    return subscription


def add_seats(refs: Iterable[str]) -> None:
    for held in SubscriptionQuantity.objects.filter(subscription__ref_id__in=refs).order_by("subscription__ref_id"):
        held.quantity = 5
        held.save()


def look_again() -> None:
    """Save every subscription as it is."""
    for subscription in Subscription.objects.order_by("ref_id"):
        subscription.save()
