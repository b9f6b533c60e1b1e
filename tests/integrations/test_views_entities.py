import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

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
from integrations.views import entities
from integrations.views.listing import FILTERS
from subscriptions.models import ScheduledChange, Subscription
from subscriptions.past import keep_past, present
from tests.browser.scene import people
from tests.factories.catalog import AddonFactory, CouponFactory, FeatureFactory, PlanFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionAddonFactory, SubscriptionFactory, SubscriptionQuantityFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAKERS: dict[str, Any] = {
    "plans": PlanFactory,
    "addons": AddonFactory,
    "coupons": CouponFactory,
    "customers": CustomerFactory,
    "subscriptions": SubscriptionFactory,
}


@pytest.fixture
def browser(connection: Connection) -> Client:
    del connection
    logged_in = Client()
    logged_in.force_login(people()["Operator"])
    return logged_in


def mark(key: str, status: SyncStatus, **values: Any) -> SyncRecord:
    record = SyncRecord.objects.get(key=key)
    SyncRecord.objects.filter(pk=record.pk).update(status=status, status_since=NOW, **values)
    record.refresh_from_db()
    return record


def page(browser: Client, address: str) -> str:
    response = browser.get(address)
    assert response.status_code == 200
    return response.content.decode()


def names(browser: Client, address: str) -> list[str]:
    return [row.entity.ref_id for row in browser.get(address).context["rows"]]


@pytest.mark.parametrize("slug", MAKERS)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_takes_a_fixed_number_of_queries_however_many_rows(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries, slug: str, rows: int
) -> None:
    MAKERS[slug].create_batch(rows)
    SyncRecord.objects.update(status=SyncStatus.SUCCESS, zuora_id="a" * 32)
    browser.get(f"/{slug}/")
    # session, user, two for permissions, connection, rows, records, connection for the banner; who has it, which plan
    with django_assert_num_queries(10 if slug == "subscriptions" else 8):
        browser.get(f"/{slug}/")
    assert len(browser.get(f"/{slug}/").context["rows"]) == rows


def test_a_subscription_is_listed_and_exported_with_its_customer_and_plan(browser: Client) -> None:
    acme = CustomerFactory.create(ref_id="acme", name="Acme & Sons")
    SubscriptionFactory.create(ref_id="s1", customer=acme, plan=PlanFactory.create(ref_id="pro", display_name="Pro"))
    cell = page(browser, "/subscriptions/").split('data-label="Customer, plan"')[1].split("</td>")[0]
    assert 'href="/customers/acme/">Acme &amp; Sons</a>' in cell
    assert ">Pro<" in cell
    exported = b"".join(browser.get("/subscriptions.csv").streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert [line.split(",")[-2:] for line in exported] == [["Customer", "Plan"], ["acme", "pro"]]


def test_the_price_of_a_package_says_for_how_many(browser: Client) -> None:
    plan = plan_with_prices(ref_id="pro")
    plan.prices.update(block_size=500)
    shown = page(browser, "/plans/pro/")
    assert re.search(r'</data> for <data value="500"[^>]*>500</data>', shown)


def test_an_address_of_what_is_gone_says_so_in_our_words(browser: Client) -> None:
    gone = browser.get("/usage/987654/")
    assert (gone.status_code, "what it named is gone" in gone.content.decode()) == (404, True)
    assert "There is no plan with the id gone." in browser.get("/plans/gone/").content.decode()


def test_a_row_shows_status_since_when_and_the_billing_id_as_a_link_into_the_tenant(browser: Client) -> None:
    PlanFactory.create(ref_id="pro", display_name="Professional")
    mark("plan:pro", SyncStatus.SUCCESS, zuora_id="a" * 32, zuora_number="stigg--plan--pro")
    shown = page(browser, "/plans/")
    assert 'href="https://test.zuora.com/apps/Product.do?method=view&amp;id=' + "a" * 32 in shown
    for text in ("Professional", "stigg--plan--pro", 'alt="Zuora"', "Synced", 'datetime="2026-03-01T12:00:00+00:00"'):
        assert text in shown


@pytest.mark.parametrize(
    ("status", "zuora_id", "label"),
    [
        (SyncStatus.PENDING, "", "Pending"),
        (SyncStatus.SUCCESS, "a" * 32, "Synced"),
        (SyncStatus.ERROR, "", "Failed"),
        (SyncStatus.NO_SYNC_REQUIRED, "", "Will not be synced"),
        (SyncStatus.NO_SYNC_REQUIRED, "a" * 32, "Linked, sync stopped"),
    ],
)
def test_every_status_has_its_words_on_list_and_page(
    browser: Client, status: SyncStatus, zuora_id: str, label: str
) -> None:
    CustomerFactory.create(ref_id="ada")
    mark("customer:ada", status, zuora_id=zuora_id)
    rows = page(browser, "/customers/").split("<tbody>")[1]
    assert f"{label}</span>" in rows
    assert f"{label}</span>" in page(browser, "/customers/ada/")


def test_a_list_is_filtered_by_status(browser: Client) -> None:
    for number, (status, zuora_id) in enumerate(
        [
            (SyncStatus.PENDING, ""),
            (SyncStatus.SUCCESS, "a" * 32),
            (SyncStatus.ERROR, ""),
            (SyncStatus.NO_SYNC_REQUIRED, ""),
            (SyncStatus.NO_SYNC_REQUIRED, "b" * 32),
        ]
    ):
        CustomerFactory.create(ref_id=f"c{number}")
        mark(f"customer:c{number}", status, zuora_id=zuora_id)
    CustomerFactory.create(ref_id="c5")
    SyncRecord.objects.filter(key="customer:c5").delete()
    found = {slug: names(browser, f"/customers/?status={slug}") for slug in FILTERS}
    assert found == {
        "pending": ["c0"],
        "synced": ["c1"],
        "failed": ["c2"],
        "not-synced": ["c3"],
        "stopped": ["c4"],
        "none": ["c5"],
    }
    assert names(browser, "/customers/?status=mistyped") == ["c0", "c1", "c2", "c3", "c4", "c5"]


@pytest.mark.parametrize("text", ["bakery", "AURORA", "billing@aurora", "first"])
def test_a_search_finds_by_id_name_and_address(browser: Client, text: str) -> None:
    CustomerFactory.create(ref_id="first", name="Aurora Bakery", email="billing@aurora.example")
    CustomerFactory.create(ref_id="other", name="Birch", email="office@birch.example")
    assert names(browser, f"/customers/?q={text}") == ["first"]


def test_an_empty_list_says_why_it_is_empty(browser: Client) -> None:
    assert "There is no coupon yet" in page(browser, "/coupons/")
    assert "No coupon matches" in page(browser, "/coupons/?q=nothing")


def test_pages_of_a_list_lead_to_each_other(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entities, "PAGE_SIZE", 2)
    for number in range(5):
        CouponFactory.create(ref_id=f"c{number}")
    seen, address = [], "/coupons/"
    while address:
        response = browser.get(address)
        seen.append([row.entity.ref_id for row in response.context["rows"]])
        after = response.context["slice"].after
        address = f"/coupons/?after={after}" if after else ""
    assert seen == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert names(browser, "/coupons/?before=c4") == ["c2", "c3"]
    back = browser.get("/coupons/?before=c2").context["slice"]
    assert ([row.ref_id for row in back.rows], back.before, back.after) == (["c0", "c1"], "", "c1")


def test_htmx_gets_the_rows_alone_and_the_history_the_page(browser: Client) -> None:
    part = browser.get("/coupons/", headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]
    back = browser.get("/coupons/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_an_unknown_entity_is_a_page_of_ours(browser: Client) -> None:
    response = browser.get("/plans/no-such/")
    assert response.status_code == 404
    assert "There is no plan with the id no-such." in response.content.decode()


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


def test_without_a_tenant_lists_and_pages_work_and_syncing_says_why_not(browser: Client) -> None:
    Connection.objects.update(removed_at=NOW)
    PlanFactory.create(ref_id="pro")
    assert "Zuora is not connected." in page(browser, "/plans/")
    assert "Zuora is not connected: it is looked at when it is." in page(browser, "/plans/pro/")
    response = browser.post("/plans/pro/sync/", follow=True)
    assert "Zuora is not connected: connect it at Settings" in response.content.decode()


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
        [at[1], at[2], "Pro , version 1, monthly", "none", "2 \N{MULTIPLICATION SIGN} SSO", "none", "none"],
        [at[0], at[1], "Pro , version 1, monthly", "none", "none", "none", "none"],
    ]
    assert f"{subscription.customer}</a> up to <time" in shown


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
