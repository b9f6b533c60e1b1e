from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import BillingModel, BillingPeriod, Feature
from catalog.tiers import Tier
from subscriptions.models import CustomerCoupon, PriceOverride, Subscription
from tests.admin_pages import act, complaints, post, said, text, url
from tests.factories.catalog import CouponFactory, FeatureFactory, addon_with_prices, plan_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import (
    CustomerCouponFactory,
    PriceOverrideFactory,
    SubscriptionAddonFactory,
    SubscriptionFactory,
    SubscriptionQuantityFactory,
)
from tests.subscriptions.admin_forms import change

pytestmark = pytest.mark.django_db

QUERIES = {"subscriptions_subscription": 8, "subscriptions_customercoupon": 7}
MAKE = {
    "subscriptions_subscription": SubscriptionFactory.create,
    "subscriptions_customercoupon": CustomerCouponFactory.create,
}


@pytest.mark.parametrize("model", MAKE)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_costs_the_same_for_one_row_and_for_three(
    model: str, rows: int, admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        MAKE[model]()
    with django_assert_num_queries(QUERIES[model]):
        response = admin_client.get(url(model, "changelist"))
    assert response.context["cl"].result_count == rows


def test_a_page_that_nobody_touched_can_be_saved(admin_client: Client) -> None:
    row = SubscriptionFactory.create(plan=plan_with_prices(per_unit=1))
    SubscriptionAddonFactory.create(subscription=row)
    SubscriptionQuantityFactory.create(subscription=row)
    PriceOverrideFactory.create(subscription=row)
    before = Subscription.objects.values("plan_version_number", "start_date", "metadata", "status").get()
    response = change(admin_client, row)
    assert response.redirect_chain == [(url("subscriptions_subscription", "changelist"), 302)]
    assert Subscription.objects.values("plan_version_number", "start_date", "metadata", "status").get() == before


def test_a_subscription_is_added_with_addons_and_their_seats(admin_client: Client) -> None:
    plan, addon = plan_with_prices(version_number=2), addon_with_prices(version_number=3, per_unit=1)
    customer, seats = CustomerFactory.create(), Feature.objects.get()
    response = post(
        admin_client,
        url("subscriptions_subscription", "add"),
        ref_id="sub-1",
        customer=customer.pk,
        plan=plan.pk,
        billing_period="MONTHLY",
        start_date_0="2026-01-01",
        start_date_1="00:00:00",
        addons__TOTAL_FORMS=1,
        addons__0__addon=addon.pk,
        addons__0__quantity=2,
        quantities__TOTAL_FORMS=1,
        quantities__0__feature=seats.pk,
        quantities__0__quantity=7,
    )
    assert response.redirect_chain == [(url("subscriptions_subscription", "changelist"), 302)]
    row = Subscription.objects.get()
    assert (row.ref_id, row.plan_version_number, row.start_date) == ("sub-1", 2, datetime(2026, 1, 1, tzinfo=UTC))
    assert list(row.addons.values_list("addon", "addon_version_number", "quantity")) == [(addon.pk, 3, 2)]
    assert list(row.quantities.values_list("feature", "quantity")) == [(seats.pk, 7)]


def test_seats_of_an_addon_leave_with_it(admin_client: Client) -> None:
    row, addon = SubscriptionFactory.create(), addon_with_prices(per_unit=1)
    seats = Feature.objects.get()
    SubscriptionAddonFactory.create(subscription=row, addon=addon)
    SubscriptionQuantityFactory.create(subscription=row, feature=seats)

    assert complaints(change(admin_client, row, addons__0__DELETE="on")) == [
        (
            f"Neither the plan nor an add-on of this subscription is sold per {seats}: choose a feature that is, or "
            "delete this quantity."
        )
    ]
    assert row.addons.count() == 1
    change(admin_client, row, addons__0__DELETE="on", quantities__0__DELETE="on")
    assert (row.addons.count(), row.quantities.count()) == (0, 0)


def test_what_an_addon_needs_is_asked_for_when_the_addons_change(admin_client: Client) -> None:
    row = SubscriptionFactory.create()
    phone, chat = addon_with_prices(display_name="Phone"), addon_with_prices(display_name="Chat")
    SubscriptionAddonFactory.create(subscription=row, addon=phone)
    phone.dependencies.add(chat)

    change(admin_client, row, resource_id="site")
    assert complaints(change(admin_client, row, addons__0__quantity="2")) == [
        "Phone is sold only with Chat: add Chat, or leave Phone out."
    ]
    row.refresh_from_db()
    assert (row.resource_id, row.addons.get().quantity) == ("site", 1)


def test_what_was_sold_before_a_change_is_kept(admin_client: Client) -> None:
    row, addon = SubscriptionFactory.create(), addon_with_prices()
    SubscriptionAddonFactory.create(subscription=row, addon=addon)
    change(admin_client, row, metadata='{"a": "b"}')
    assert not row.past_terms.exists()
    change(admin_client, row, addons__0__DELETE="on")
    past = row.past_terms.get()
    assert (past.plan, past.starts_at, past.addons) == (row.plan, row.start_date, [[addon.pk, 1]])


def test_rows_are_checked_against_the_plan_that_is_posted(admin_client: Client) -> None:
    row = SubscriptionFactory.create(plan=plan_with_prices(display_name="Basic"))
    override = PriceOverrideFactory.create(subscription=row)
    response = change(admin_client, row, plan=plan_with_prices(display_name="Pro").pk, plan_version_number="")
    assert complaints(response) == [
        (
            "Basic, version 1, MONTHLY, is not what this subscription holds: choose a price of its plan or of its "
            "add-ons, or delete this override."
        )
    ]
    assert list(PriceOverride.objects.all()) == [override]


def test_prices_are_overridden_by_an_amount_or_by_tiers(admin_client: Client) -> None:
    plan = plan_with_prices(periods=list(BillingPeriod), display_name="Pro")
    tiered = price(
        plan,
        billing_model=BillingModel.PER_UNIT,
        feature=FeatureFactory.create(),
        tiers_mode="VOLUME",
        amounts={"EUR": [Tier(None, Decimal(5), None)]},
    )
    row = SubscriptionFactory.create(plan=plan)
    flat = plan.prices.get(billing_model="FLAT_FEE", billing_period="MONTHLY")
    page = admin_client.get(url("subscriptions_subscription", "change", row.pk))
    formset = page.context["inline_admin_formsets"][2].formset
    assert formset.empty_form.fields["price"].widget.choices == [
        ("", "---------"),
        (flat.pk, "Pro: Monthly Flat Fee"),
        (tiered.pk, "Pro: Monthly Per Unit per seat"),
    ]

    rows = {
        "price_overrides__TOTAL_FORMS": 2,
        "price_overrides__0__price": flat.pk,
        "price_overrides__0__amount": "8",
        "price_overrides__1__price": tiered.pk,
    }
    assert complaints(change(admin_client, row, **rows)) == [
        "A VOLUME price needs tiers: give them, or clear the tiers mode."
    ]
    change(admin_client, row, **rows, price_overrides__1__tiers="5 4.5\n* 4")
    assert [(o.price, o.amount, [Tier.of(t) for t in o.tiers.all()]) for o in row.price_overrides.all()] == [
        (flat, 8, []),
        (tiered, None, [Tier(5, Decimal("4.5"), None), Tier(None, Decimal(4), None)]),
    ]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"plan_version_number": "2"}, "Pro is on sale in version 1: choose up to that one, or none."),
        ({"status": "IN_TRIAL"}, "A trial needs the date on which it ends: fill in the trial end date."),
        ({"plan": ""}, "This field is required."),
        ({"billing_information": "[1]"}, 'Give an object, for example {"taxPercentage": "19"}.'),
        (
            {"addons__0__quantity": "0"},
            "The quantity must be 1 or more: remove the add-on instead.",
        ),
        (
            {"quantities__TOTAL_FORMS": 1, "quantities__0__quantity": "3"},
            "This field is required.",
        ),
    ],
)
def test_what_is_not_sound_is_told(changes: dict[str, Any], sentence: str, admin_client: Client) -> None:
    row = SubscriptionFactory.create(plan=plan_with_prices(display_name="Pro"))
    SubscriptionAddonFactory.create(subscription=row)
    assert complaints(change(admin_client, row, **changes)) == [sentence]


def test_the_reference_id_and_the_customer_stay(admin_client: Client) -> None:
    row = SubscriptionFactory.create(ref_id="sub-1")
    change(admin_client, row, ref_id="other", customer=CustomerFactory.create().pk, resource_id="site-1")
    stored = Subscription.objects.get()
    assert (stored.ref_id, stored.customer, stored.resource_id) == ("sub-1", row.customer, "site-1")


def test_the_actions_cancel(admin_client: Client) -> None:
    now, later, trial = (
        SubscriptionFactory.create(ref_id="now"),
        SubscriptionFactory.create(ref_id="later"),
        SubscriptionFactory.create(ref_id="trial", status="IN_TRIAL", trial_end_date=datetime(2026, 3, 1, tzinfo=UTC)),
    )
    with time_machine.travel(datetime(2026, 2, 10, tzinfo=UTC), tick=False):
        first = act(admin_client, "subscriptions_subscription", "cancel_now", now)
        second = act(admin_client, "subscriptions_subscription", "cancel_at_period_end", later, now, trial)
    assert said(first) == ["now: cancelled."]
    assert sorted(said(second)) == [
        "later: will end with its billing period.",
        "now: now has ended already.",
        "trial: trial is in trial: cancel it now, or let the trial end.",
    ]
    assert list(Subscription.objects.order_by("pk").values_list("status", "cancellation_date")) == [
        ("CANCELED", datetime(2026, 2, 10, tzinfo=UTC)),
        ("ACTIVE", datetime(2026, 3, 1, tzinfo=UTC)),
        ("IN_TRIAL", None),
    ]


def test_a_customer_is_given_one_coupon(admin_client: Client) -> None:
    customer, coupon = CustomerFactory.create(name="Acme"), CouponFactory.create()
    add = url("subscriptions_customercoupon", "add")
    post(admin_client, add, customer=customer.pk, coupon=coupon.pk)
    assert CustomerCoupon.objects.get().coupon == coupon
    assert complaints(post(admin_client, add, customer=customer.pk, coupon=coupon.pk)) == [
        "Customer coupon with this Customer already exists."
    ]
    other = CouponFactory.create()
    post(admin_client, url("subscriptions_customercoupon", "change", CustomerCoupon.objects.get().pk), coupon=other.pk)
    assert CustomerCoupon.objects.get().coupon == other


def test_a_refused_deletion_is_told(admin_client: Client) -> None:
    row = SubscriptionFactory.create(ref_id="sub-1")

    def refuse(instance: Subscription, **_: Any) -> None:
        raise ProtectedError("sub-1 is billed elsewhere: cancel it instead.", {instance})

    pre_delete.connect(refuse, sender=Subscription)
    try:
        one = admin_client.post(url("subscriptions_subscription", "delete", row.pk), {"post": "yes"}, follow=True)
        many = act(admin_client, "subscriptions_subscription", "delete_selected", row, post="yes")
    finally:
        pre_delete.disconnect(refuse, sender=Subscription)
    assert said(one) == said(many) == ["Nothing was deleted. sub-1 is billed elsewhere: cancel it instead."]
    assert list(Subscription.objects.all()) == [row]


def test_what_a_subscription_points_at_is_not_deleted(admin_client: Client) -> None:
    row = SubscriptionFactory.create()
    page = admin_client.get(url("catalog_plan", "delete", row.plan.pk))
    assert "would require deleting the following protected related objects" in text(page)
