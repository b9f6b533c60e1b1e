from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from customers.archiving import archive
from subscriptions.handing_over import delegate, transfer
from subscriptions.models import Subscription
from subscriptions.tenure import stretches
from tests.factories.catalog import ProductFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


def test_who_pays_pays_on_when_another_customer_gets_it() -> None:
    subscription = SubscriptionFactory.create(ref_id="s1", customer__ref_id="acme")
    payer, other = subscription.customer, CustomerFactory.create(ref_id="other")
    delegate(subscription=subscription, to=other, now=NOW)
    row = Subscription.objects.get()
    assert (row.customer, row.paying_customer) == (other, payer)
    assert [(one.terms.customer_id, one.start, one.end) for one in stretches(row)] == [
        (payer.pk, row.start_date, NOW),
        (other.pk, NOW, None),
    ]
    delegate(subscription=row, to=payer, now=NOW)
    row.refresh_from_db()
    assert (row.customer, row.paying_customer) == (payer, None)


def test_it_moves_to_another_resource() -> None:
    product = ProductFactory.create(multiple_subscriptions=True)
    subscription = SubscriptionFactory.create(ref_id="s1", resource_id="one", plan=plan_with_prices(product=product))
    transfer(subscription=subscription, to_resource="two", now=NOW)
    row = Subscription.objects.get()
    assert [(one.terms.resource_id, one.end) for one in stretches(row)] == [("one", NOW), ("two", None)]
    SubscriptionFactory.create(ref_id="s2", resource_id="three", plan=row.plan, customer=row.customer)
    with pytest.raises(ValidationError, match="three has s2 to the same product: cancel that first"):
        transfer(subscription=row, to_resource="three", now=NOW)
    with pytest.raises(ValidationError, match="s1 is for two already"):
        transfer(subscription=Subscription.objects.get(ref_id="s1"), to_resource="two", now=NOW)


def test_an_archived_customer_gets_nothing() -> None:
    subscription, other = SubscriptionFactory.create(ref_id="s1"), CustomerFactory.create(name="Other")
    archive(customer=other, now=NOW)
    with pytest.raises(ValidationError, match="Other is archived: unarchive the customer first"):
        delegate(subscription=subscription, to=other, now=NOW)
    with pytest.raises(ValidationError, match="has s1 already"):
        delegate(subscription=subscription, to=subscription.customer, now=NOW)


def test_what_has_ended_is_not_handed_over() -> None:
    subscription = SubscriptionFactory.create(ref_id="s1", status="CANCELED")
    with pytest.raises(ValidationError, match="s1 has ended: there is nothing to hand over"):
        transfer(subscription=subscription, to_resource="two", now=NOW)
