from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client

from subscriptions.models import CustomerCoupon, ScheduledChange, Subscription
from subscriptions.past import keep_past, present
from tests.admin_pages import act, said, text, url
from tests.factories.catalog import CouponFactory, addon_with_prices
from tests.factories.subscriptions import SubscriptionAddonFactory, SubscriptionFactory
from tests.subscriptions.admin_forms import change

pytestmark = pytest.mark.django_db


def test_what_is_scheduled_is_shown_and_called_off(admin_client: Client) -> None:
    row = SubscriptionFactory.create(ref_id="sub-1")
    ScheduledChange.objects.create(
        subscription=row, change_type="ADDON", effective_at=row.start_date, content={"addons": {"support": 2}}
    )
    shown = admin_client.get(url("subscriptions_subscription", "change", row.pk)).content.decode()
    assert "2 \N{MULTIPLICATION SIGN} support" in shown
    response = act(admin_client, "subscriptions_subscription", "call_off_changes", row)
    assert said(response) == ["sub-1: stays as it is."]
    assert ScheduledChange.objects.get().status == "CANCELED"


def test_a_change_by_hand_takes_effect_now(admin_client: Client) -> None:
    row, coupon = SubscriptionFactory.create(ref_id="sub-1"), CouponFactory.create()
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        change(admin_client, row, coupon=coupon.pk)
    row.refresh_from_db()
    assert (row.coupon, row.effective_from) == (coupon, now)
    past = row.past_contents.get()
    assert (past.content["coupon"], past.starts_at, past.ends_at) == (None, row.start_date, now)
    with time_machine.travel(now + timedelta(days=1), tick=False):
        change(admin_client, row, resource_id="site-1")
    row.refresh_from_db()
    assert (row.resource_id, row.effective_from) == ("site-1", now)


def test_a_coupon_that_a_customer_gets_by_hand_takes_effect_now(admin_client: Client) -> None:
    row, coupon = SubscriptionFactory.create(ref_id="sub-1"), CouponFactory.create()
    own = SubscriptionFactory.create(ref_id="sub-2", customer=row.customer, coupon=coupon)
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        held = {"customer": row.customer.pk, "coupon": coupon.pk}
        admin_client.post(url("subscriptions_customercoupon", "add"), held)
        act(admin_client, "subscriptions_customercoupon", "delete_selected", CustomerCoupon.objects.get(), post="yes")
    assert not CustomerCoupon.objects.exists()
    found = Subscription.objects.order_by("ref_id").values_list("effective_from", flat=True)
    assert (list(found), own.past_contents.count()) == ([now, None], 0)
    assert [past.content["coupon"] for past in row.past_contents.all()] == [None]


def test_every_role_sees_what_is_scheduled() -> None:
    for role in ("Viewer", "Operator", "Administrator"):
        held = Group.objects.get(name=role).permissions.values_list("codename", flat=True)
        assert {"view_scheduledchange", "view_pastterms", "view_pastcontent"} <= set(held)


@pytest.mark.parametrize("model", ["pastcontent", "pastterms"])
def test_what_a_subscription_was_is_looked_at_and_goes_only_with_it(admin_client: Client, model: str) -> None:
    row, addon = SubscriptionFactory.create(ref_id="sub-1"), addon_with_prices()
    with time_machine.travel(row.start_date + timedelta(days=1), tick=False):
        before = present(row)
        SubscriptionAddonFactory.create(subscription=row, addon=addon)
        keep_past(Subscription.objects.get(pk=row.pk), before=before, at=row.start_date + timedelta(hours=1))
    past = getattr(row, {"pastcontent": "past_contents", "pastterms": "past_terms"}[model]).get()
    name = f"subscriptions_{model}"
    assert "sub-1" in text(admin_client.get(url(name, "changelist")))
    page = text(admin_client.get(url(name, "change", past.pk)))
    assert ("sub-1" in page, 'name="_save"' in page, url(name, "delete", past.pk) in page) == (True, False, False)
    assert admin_client.get(url(name, "add")).status_code == 403
    assert admin_client.post(url(name, "delete", past.pk), {"post": "yes"}).status_code == 403
    act(admin_client, name, "delete_selected", past, post="yes")
    assert type(past).objects.count() == 1
    admin_client.post(url("subscriptions_subscription", "delete", row.pk), {"post": "yes"}, follow=True)
    assert (type(past).objects.count(), Subscription.objects.count()) == (0, 0)
