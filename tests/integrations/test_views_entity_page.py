"""The page of one entity: what it holds, how its sync goes, and what can be done about it."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from customers.models import Customer
from integrations.models import (
    Connection,
    Delivery,
    EntityKind,
    JobState,
    Priority,
    Request,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.past import keep_past, present
from tests.factories.catalog import AddonFactory, CouponFactory, FeatureFactory, PlanFactory
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import (
    PriceOverrideFactory,
    SubscriptionAddonFactory,
    SubscriptionFactory,
    SubscriptionQuantityFactory,
)
from tests.integrations.browsers import operators as browser
from tests.integrations.entity_pages import MAKERS, NOW, mark, page

__all__ = ["browser"]
pytestmark = pytest.mark.django_db


def test_the_page_of_a_plan_links_its_rate_plans_and_charges(browser: Client) -> None:
    plan = PlanFactory.create(ref_id="pro")
    root = mark("plan:pro", SyncStatus.SUCCESS, zuora_id="a" * 32)
    for key, kind, zuora_id in (
        ("plan:pro/MONTHLY", EntityKind.BILLING_PERIOD, "b" * 32),
        ("plan:pro/MONTHLY/RECURRING/PER_UNIT/seats", EntityKind.CHARGE, "c" * 32),
    ):
        SyncRecord.objects.create(
            connection=root.connection, key=key, kind=kind, root_kind=EntityKind.PLAN, root_id=plan.pk,
            status=SyncStatus.SUCCESS, zuora_id=zuora_id,
        )  # fmt: skip
    shown = page(browser, "/plans/pro/")
    product = f"https://test.zuora.com/apps/Product.do?method=view&amp;id={'a' * 32}"
    assert f'href="{product}#{"b" * 32}"' in shown
    assert shown.count(f'href="{product}"') == 2  # the plan's own, and its charge's
    assert "Monthly · Recurring · Per unit · seats" in shown
    assert "c" * 32 in shown


def test_how_something_is_sold_is_shown(browser: Client) -> None:
    basic = PlanFactory.create(display_name="Basic")
    PlanFactory.create(ref_id="pro", trial_duration=14, trial_units="DAY", parent=basic)
    phone = AddonFactory.create(ref_id="phone", max_quantity=5)
    phone.dependencies.set([AddonFactory.create(display_name="Chat"), AddonFactory.create(display_name="Support")])
    plan, addon = page(browser, "/plans/pro/"), page(browser, "/addons/phone/")
    assert "<dt>Default trial</dt><dd>14 days, then it becomes paid</dd>" in plan
    assert "<dt>Parent plan</dt><dd>Basic</dd>" in plan
    assert "<dt>At most</dt><dd>5 in a subscription</dd>" in addon
    assert "<dt>Sold only with</dt><dd>Chat, Support</dd>" in addon


def test_why_shows_every_rule_with_what_it_saw(browser: Client) -> None:
    CustomerFactory.create(ref_id="ada")
    mark(
        "customer:ada",
        SyncStatus.NO_SYNC_REQUIRED,
        trace=[
            {"rule": "no_subscription", "passed": True, "saw": "2 subscriptions", "text": "It has no subscription."},
            {"rule": "has_a_payment_method", "passed": False, "saw": "none", "text": "There is no payment method."},
        ],
    )
    why = page(browser, "/customers/ada/").split('id="why"')[1].split("</ul>")[0]
    assert "passed; saw: 2 subscriptions" in why
    assert "It has no subscription." not in why
    assert "failed; saw: none" in why
    assert "There is no payment method." in why
    assert "What would change it: Attach a payment method that Zuora holds to the customer." in why


def test_a_failure_shows_plain_words_the_cure_and_zuoras_own(browser: Client) -> None:
    PlanFactory.create(ref_id="pro")
    told = {
        "error": "The unit is not active.",
        "cure": "Activate it.",
        "zuora_says": "UOM <b>",
        "zuora_request_id": "r-1",
    }
    mark("plan:pro", SyncStatus.ERROR, **told)
    shown = page(browser, "/plans/pro/")
    for text in ("The unit is not active.", "Activate it.", "UOM &lt;b&gt;", "r-1", ">Retry</button>"):
        assert text in shown


def test_a_waiting_entity_names_and_links_its_parent(browser: Client) -> None:
    subscription = SubscriptionFactory.create(ref_id="first", plan=PlanFactory.create(ref_id="pro"))
    SyncJob.objects.of(kind=EntityKind.SUBSCRIPTION, entity_id=subscription.pk).update(
        waiting_for="plan:pro", reason="The plan is not in Zuora yet."
    )
    shown = page(browser, "/subscriptions/first/")
    assert 'The plan is not in Zuora yet. <a class="alert-link" href="/plans/pro/">Look at pro</a>' in shown
    assert shown.count("The plan is not in Zuora yet.") == 1
    assert "The plan is not in Zuora yet." in shown


def test_a_page_refreshes_by_itself_only_while_something_is_under_way(browser: Client) -> None:
    PlanFactory.create(ref_id="pro")
    assert 'hx-trigger="every 2s"' in page(browser, "/plans/pro/")
    SyncJob.objects.update(state=JobState.DONE)
    assert "hx-trigger" not in page(browser, "/plans/pro/")


def test_the_timeline_shows_requests_with_numbers_as_they_were_sent(browser: Client, connection: Connection) -> None:
    PlanFactory.create(ref_id="pro")
    job = SyncJob.objects.get(key="plan:pro")
    delivery = Delivery.objects.create(job=job, track_id="t-1", worker="w", started_at=NOW)
    Request.objects.create(
        connection=connection, delivery=delivery, method="POST", path="/v1/made-up", status=200,
        body='{"Price":1.10}', duration_ms=5, started_at=NOW,
    )  # fmt: skip
    shown = page(browser, "/plans/pro/").split('id="timeline"')[1]
    assert "POST /v1/made-up" in shown
    assert "&quot;Price&quot;: 1.10" in shown
    assert "curl" in shown


def test_sync_now_makes_a_job_at_a_clicks_priority(browser: Client) -> None:
    PlanFactory.create(ref_id="pro")
    SyncJob.objects.all().delete()
    response = browser.post("/plans/pro/sync/", follow=True)
    assert [(job.key, job.priority) for job in SyncJob.objects.all()] == [("plan:pro", Priority.CLICK)]
    assert "is on its way" in response.content.decode()


def test_sync_now_of_a_draft_says_what_to_do(browser: Client) -> None:
    PlanFactory.create(ref_id="pro", status="DRAFT")
    response = browser.post("/plans/pro/sync/", follow=True)
    assert "it is pushed once it is published" in response.content.decode()
    assert SyncJob.objects.count() == 0


def test_keeping_a_stopped_entity_ends_the_question(browser: Client) -> None:
    SubscriptionFactory.create(ref_id="first")
    mark("subscription:first", SyncStatus.NO_SYNC_REQUIRED, zuora_id="a" * 32)
    assert "Keep it in Zuora" in page(browser, "/subscriptions/first/")
    browser.post("/subscriptions/first/keep/")
    assert SyncRecord.objects.get(key="subscription:first").kept_at is not None
    assert "Keep it in Zuora" not in page(browser, "/subscriptions/first/")


def test_cancelling_a_stopped_subscription_there_is_asked_of_the_sync(browser: Client) -> None:
    SubscriptionFactory.create(ref_id="first")
    mark("subscription:first", SyncStatus.NO_SYNC_REQUIRED, zuora_id="a" * 32)
    browser.post("/subscriptions/first/cancel-there/")
    assert SyncRecord.objects.get(key="subscription:first").cancel_wanted_at is not None


def test_there_is_nothing_to_decide_about_what_is_synced(browser: Client) -> None:
    SubscriptionFactory.create(ref_id="first")
    mark("subscription:first", SyncStatus.SUCCESS, zuora_id="a" * 32)
    response = browser.post("/subscriptions/first/cancel-there/", follow=True)
    assert "there is nothing to decide" in response.content.decode()
    assert SyncRecord.objects.get(key="subscription:first").cancel_wanted_at is None


@pytest.mark.parametrize("slug", MAKERS)
def test_every_kind_has_a_page_that_shows_what_it_holds(browser: Client, slug: str) -> None:
    entity = MAKERS[slug].create()
    assert "What it holds" in page(browser, f"/{slug}/{entity.ref_id}/")


def test_edit_leads_to_the_admin_for_those_who_may(browser: Client) -> None:
    plan = PlanFactory.create(ref_id="pro")
    assert f"/admin/catalog/plan/{plan.pk}/change/" in page(browser, "/plans/pro/")
    User.objects.update(is_staff=False)
    assert "/admin/catalog/plan/" not in page(browser, "/plans/pro/")


def test_a_scheduled_change_is_shown_with_what_will_be_and_when(browser: Client) -> None:
    subscription = SubscriptionFactory.create(ref_id="first")
    assert ">Active<" in page(browser, "/subscriptions/first/")
    at = datetime(2026, 4, 1, tzinfo=UTC)
    made = ScheduledChange.objects.create
    made(subscription=subscription, change_type="ADDON", effective_at=at, content={"addons": {"support": 2}})
    made(subscription=subscription, change_type="COUPON", effective_at=at, content={"coupon": ""}, status="CANCELED")
    made(
        subscription=subscription,
        change_type="UNIT_AMOUNT",
        effective_at=at,
        content={"quantities": {"seats": 9}},
        status="FAILED",
        problem="Pro is sold for 1 to 5.",
    )
    shown = page(browser, "/subscriptions/first/")
    assert "Update scheduled" in shown
    rows = re.findall(r'<th scope="row"[^>]*>(.*?)</th>\s*<td>(.*?)</td>', shown, re.DOTALL)
    assert [tuple(" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row) for row in rows] == [
        ("Add-ons 2026-04-01 00:00 UTC", "2 \N{MULTIPLICATION SIGN} support"),
        (
            "Quantities 2026-04-01 00:00 UTC",
            "9 \N{MULTIPLICATION SIGN} seats Could not be made: Pro is sold for 1 to 5.",
        ),
    ]


def test_a_subscriptions_page_tells_what_it_held_before_and_who_had_it(browser: Client) -> None:
    subscription = SubscriptionFactory.create(
        ref_id="first", plan=PlanFactory.create(ref_id="pro", display_name="Pro"), billing_period="MONTHLY"
    )
    start, other = subscription.start_date, CustomerFactory.create(name="Acme")
    assert "What it held before" not in page(browser, "/subscriptions/first/")
    sso, seats = AddonFactory.create(display_name="SSO"), FeatureFactory.create(units_plural="seats")
    changes: list[Any] = [
        lambda: SubscriptionAddonFactory.create(subscription=subscription, addon=sso, quantity=2),
        lambda: SubscriptionQuantityFactory.create(subscription=subscription, feature=seats, quantity=7),
        lambda: Subscription.objects.update(customer=other),
    ]
    for days, make in enumerate(changes, 1):
        before = present(Subscription.objects.get())
        make()
        keep_past(Subscription.objects.get(), before=before, at=start + timedelta(days=days))
    shown = page(browser, "/subscriptions/first/")
    table = shown.split('aria-labelledby="pasts"')[1].split("</table>")[0]
    body = table.split("<tbody>")[1].split("</tr>")[:-1]
    rows = [re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in body]
    at = [f"{start + timedelta(days=days):%Y-%m-%d %H:%M} UTC" for days in range(3)]
    assert [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in rows] == [
        [at[1], at[2], "Pro version 1, monthly", "none", "2 \N{MULTIPLICATION SIGN} SSO", "none", "none"],
        [at[0], at[1], "Pro version 1, monthly", "none", "none", "none", "none"],
    ]
    assert f"{subscription.customer}</a> up to <time" in shown


def test_an_earlier_price_of_its_own_is_money_in_what_was_paid_then(browser: Client) -> None:
    payer = CustomerFactory.create(billing_currency="EUR")
    subscription = SubscriptionFactory.create(ref_id="first", paying_customer=payer)
    own = PriceOverrideFactory.create(subscription=subscription, amount=Decimal("7.5"))
    for days, amount in enumerate((Decimal(8), Decimal(9), Decimal(10)), 1):
        before = present(Subscription.objects.get())
        own.amount = amount
        own.save()
        keep_past(Subscription.objects.get(), before=before, at=own.subscription.start_date + timedelta(days=days))
        Customer.objects.filter(pk=payer.pk).update(billing_currency="USD")
    unknown = subscription.past_contents.latest("starts_at")
    del unknown.content["currency"]  # as rows were that are older than what notes it
    unknown.save()
    held = page(browser, "/subscriptions/first/").split('aria-labelledby="pasts"')[1].split("</table>")[0]
    told = re.findall(r'data-label="Own prices">(.*?)</td>', held, re.DOTALL)
    assert [re.sub(r"<[^>]+>", "", one).rpartition(": ")[2] for one in told] == ["9", "8.00 USD", "7.50 EUR"]


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("EUR", "7.5", "7.50 EUR"),
        ("JPY", "1250", "1,250 JPY"),
        ("KRW", "0.025", "0.025 KRW"),
        ("BHD", "7.5", "7.500 BHD"),
        ("KWD", "1234.5678", "1,234.5678 KWD"),
    ],
)
def test_a_price_of_its_own_is_money_in_what_the_payer_pays(
    browser: Client, currency: str, amount: str, shown: str
) -> None:
    payer = CustomerFactory.create(billing_currency=currency)
    subscription = SubscriptionFactory.create(ref_id="first", paying_customer=payer)
    PriceOverrideFactory.create(subscription=subscription, amount=Decimal(amount))
    held = page(browser, "/subscriptions/first/").split("<dt>Own prices</dt>")[1].split("</dd>")[0]
    assert re.findall(r"<data [^>]*>.*?</data>", held) == [
        f'<data class="text-nowrap" value="{amount}" data-currency="{currency}">{shown}</data>'
    ]


def test_what_a_coupon_takes_off_is_written_as_the_viewer_does(browser: Client) -> None:
    CouponFactory.create(ref_id="half", percent_off=Decimal("12.5"))
    held = page(browser, "/coupons/half/").split("<dt>Takes off</dt>")[1].split("</dd>")[0]
    assert held == '<dd><data value="12.5" data-number>12.5</data> %'


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"status": "NOT_STARTED"}, "Scheduled"),
        ({"status": "PAYMENT_PENDING"}, "Pending payment"),
        ({"cancellation_date": datetime(2026, 4, 1, tzinfo=UTC)}, "Cancellation pending"),
        ({"status": "CANCELED", "cancel_reason": "CustomerArchived"}, "Canceled: the customer was archived"),
    ],
)
def test_the_state_is_called_as_in_stigg(browser: Client, fields: dict[str, Any], state: str) -> None:
    SubscriptionFactory.create(ref_id="first", **fields)
    assert f"<dd>{state}</dd>" in page(browser, "/subscriptions/first/")
