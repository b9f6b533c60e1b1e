from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations.models import (
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    JobState,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.models.job import cause_of
from integrations.problems import Cause
from integrations.sections import SECTIONS
from integrations.views.overview import Counts, end_of_backlog
from tests.browser.scene import people
from tests.factories.customers import CustomerFactory
from tests.integrations.browsers import viewers as browser

__all__ = ["browser"]
pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def job(connection: Connection, entity_id: int, state: JobState, **values: Any) -> SyncJob:
    return SyncJob.objects.create(
        **{
            "connection": connection,
            "kind": EntityKind.PLAN,
            "entity_id": entity_id,
            "key": f"plan:p{entity_id}",
            "state": state,
            "not_before": NOW,
            "created_at": NOW,
            "cause": cause_of(values.get("reason", "")) if state == JobState.FAILED else "",
            **values,
        }
    )


def test_a_tenant_that_is_down_says_since_when_why_and_what_happens_on_every_page(
    browser: Client, connection: Connection
) -> None:
    connection.mark_down(reason="The secret is refused.", until=NOW + timedelta(minutes=1), now=NOW)
    for address in ("/", "/plans/", "/problems/", "/activity/"):
        page = browser.get(address).content.decode()
        banner = page.split('<div class="alert alert-danger"')[1].split("</main>")[0]
        assert "The secret is refused." in banner
        assert 'datetime="2026-03-01T12:00:00+00:00"' in banner
        assert 'datetime="2026-03-01T12:01:00+00:00"' in banner
        assert "Work waits and resumes by itself" in banner


def test_all_is_well_without_a_banner(browser: Client) -> None:
    assert "alert" not in browser.get("/").content.decode().split("<main")[1].split('id="live"')[0]


def test_without_a_tenant_the_overview_says_how_to_begin(browser: Client) -> None:
    Connection.objects.update(removed_at=NOW)
    assert "Connect a Zuora tenant to begin" in browser.get("/").content.decode()


def test_the_backlog_counts_what_waits_its_age_and_what_waits_for_a_parent(
    browser: Client, connection: Connection
) -> None:
    job(connection, 1, JobState.WAITING, created_at=NOW - timedelta(hours=2), waiting_for="plan:p2")
    job(connection, 2, JobState.WAITING)
    job(connection, 3, JobState.SENDING, created_at=NOW - timedelta(hours=9))
    job(connection, 4, JobState.DONE, created_at=NOW - timedelta(hours=9))
    job(connection, 5, JobState.DONE, finished_at=timezone.now())
    page = browser.get("/")
    assert page.context["backlog"] == {
        "waiting": 2,
        "sending": 1,
        "for_parents": 1,
        "oldest": NOW - timedelta(hours=2),
    }
    card = page.content.decode().split('id="backlog"')[1].split("</section>")[0]
    assert all(text in card for text in ("is done around", "1</data> more goes when another entity has arrived"))
    # What waits for a parent is no work of the next minutes: one job at the pace of one in five.
    assert timedelta(minutes=4) < page.context["ends_at"] - timezone.now() < timedelta(minutes=6)
    listed = browser.get("/activity/?state=PARENT").context["slice"].rows
    assert [one.key for one in listed] == ["plan:p1"]


def test_the_backlogs_end_is_told_by_the_pace_of_the_last_minutes(connection: Connection) -> None:
    for number in range(30):
        job(connection, number, JobState.DONE, finished_at=NOW - timedelta(seconds=10 * number))
    job(connection, 99, JobState.DONE, finished_at=NOW - timedelta(minutes=6))
    assert end_of_backlog(connection, waiting=60, now=NOW) == NOW + timedelta(minutes=10)
    assert end_of_backlog(connection, waiting=60, now=NOW + timedelta(hours=1)) is None


def test_a_backlog_that_does_not_move_says_so(browser: Client, connection: Connection) -> None:
    assert "in the last 5 minutes" not in browser.get("/").content.decode()
    job(connection, 1, JobState.WAITING)
    assert "nothing was done in the last 5 minutes" in browser.get("/").content.decode()


def test_a_tenant_that_is_down_says_on_its_card_what_to_do(browser: Client, connection: Connection) -> None:
    connection.mark_down(reason="The secret is refused. Check it.", until=NOW, now=NOW)
    card = browser.get("/").content.decode().split('id="health"')[1].split("</section>")[0]
    assert "The secret is refused. Check it." in card


def test_operators_retry_all_failures_of_a_cause_from_the_overview(connection: Connection) -> None:
    job(connection, 1, JobState.FAILED, reason="The unit 'a' is missing.")
    operator, viewer = Client(), Client()
    users = people()
    operator.force_login(users["Operator"])
    viewer.force_login(users["Viewer"])
    button = 'name="cause" value="The unit … is missing."'
    assert button in operator.get("/").content.decode()
    assert button not in viewer.get("/").content.decode()


def test_counts_per_kind_and_status_leave_out_what_rides_along(browser: Client, connection: Connection) -> None:
    shared = {"connection": connection, "root_kind": EntityKind.PLAN}
    rows = [
        ("plan:a", EntityKind.PLAN, SyncStatus.SUCCESS, "a" * 32),
        ("plan:b", EntityKind.PLAN, SyncStatus.ERROR, ""),
        ("plan:c", EntityKind.PLAN, SyncStatus.NO_SYNC_REQUIRED, ""),
        ("plan:d", EntityKind.PLAN, SyncStatus.NO_SYNC_REQUIRED, "d" * 32),
        ("plan:e", EntityKind.PLAN, SyncStatus.PENDING, ""),
        ("plan:a/MONTHLY", EntityKind.BILLING_PERIOD, SyncStatus.SUCCESS, "f" * 32),
    ]
    for number, (key, kind, status, zuora_id) in enumerate(rows):
        SyncRecord.objects.create(key=key, kind=kind, status=status, zuora_id=zuora_id, root_id=number, **shared)
    counts = browser.get("/").context["counts"]
    assert counts[0] == Counts(SECTIONS["plans"], pending=1, synced=1, failed=1, not_synced=1, stopped=1)
    assert counts[1:] == [Counts(section) for section in list(SECTIONS.values())[1:]]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("The unit 'calls' is not active.", "The unit … is not active."),
        ('Charge "a b" of plan-7 is refused (53200020).', "Charge … of plan-… is refused (…)."),
        ("No particulars.", "No particulars."),
        ("Very " * 100, "Very " * 60),
        ("", "It was not said why."),
    ],
)
def test_a_cause_is_a_reason_without_its_particulars(reason: str, cause: str) -> None:
    assert cause_of(reason) == cause


def test_failures_are_grouped_by_cause_the_most_frequent_first(browser: Client, connection: Connection) -> None:
    for number in range(3):
        job(connection, number, JobState.FAILED, reason=f"The unit 'u{number}' is not active.")
    job(connection, 9, JobState.FAILED, reason="Something else.")
    job(connection, 10, JobState.FAILED, reason="The unit 'x' is not active.", kind=EntityKind.COUPON)
    page = browser.get("/").context
    assert page["causes"] == [Cause("The unit … is not active.", 4), Cause("Something else.", 1)]
    assert (page["failed"], page["causes_count"], page["need_a_person"]) == (5, 2, 5)


def test_recent_deliveries_link_to_their_entities(browser: Client, connection: Connection) -> None:
    done = job(connection, 1, JobState.DONE)
    Delivery.objects.create(
        job=done, track_id="t", worker="w", outcome=DeliveryOutcome.RETRY, error="It is ill.", started_at=NOW
    )
    recent = browser.get("/").content.decode().split('id="recent"')[1]
    for text in ('href="/plans/p1/"', "Will be tried again", "It is ill."):
        assert text in recent


def test_the_overview_refreshes_itself_and_answers_htmx_with_the_part(browser: Client) -> None:
    assert 'hx-trigger="every 5s"' in browser.get("/").content.decode()
    part = browser.get("/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<div id="live"')


@pytest.mark.parametrize("rows", [1, 3])
def test_the_overview_takes_a_fixed_number_of_queries_however_many_rows(
    browser: Client, connection: Connection, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    CustomerFactory.create_batch(rows)
    for number in range(rows):
        failed = job(connection, number, JobState.FAILED, reason=f"reason {number}")
        Delivery.objects.create(job=failed, track_id=f"t-{number}", worker="w", started_at=NOW)
    browser.get("/")
    with django_assert_num_queries(21):
        browser.get("/")
