"""The audit log and the request log, as people read them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from integrations import operating
from integrations.models import AuditEntry, Connection, Delivery, EntityKind, Request, SyncJob
from tests.factories.catalog import PlanFactory
from tests.integrations.browsers import viewers as browser

__all__ = ["browser"]
pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AUDIT = "/settings/audit-log/"
REQUESTS = "/settings/requests/"


def note(who: str, action: str, subject: str, days: int = 0, **detail: Any) -> None:
    user, _ = User.objects.get_or_create(username=who)
    operating.note(actor=user, action=action, subject=subject, now=NOW + timedelta(days=days), **detail)


def exchange(connection: Connection, **values: Any) -> Request:
    return Request.objects.create(
        **{
            "connection": connection,
            "method": "GET",
            "path": "/v1/orders/O-1",
            "status": 200,
            "duration_ms": 12,
            "started_at": NOW,
            **values,
        }
    )


def of_plan(connection: Connection, ref_id: str) -> Delivery:
    plan = PlanFactory.create(ref_id=ref_id)
    job = SyncJob.objects.create(
        connection=connection, kind=EntityKind.PLAN, entity_id=plan.pk, key=f"plan:{ref_id}", state="DONE",
        not_before=NOW, created_at=NOW,
    )  # fmt: skip
    return Delivery.objects.create(job=job, track_id=f"track-{ref_id}", worker="w", started_at=NOW)


def rows(response: Any) -> list[Any]:
    return list(response.context["slice"].rows)


def test_the_audit_log_says_details_in_words(browser: Client) -> None:
    note("ada", "switch", "one", sync_customers=True, sync_subscriptions=False, keys=["plan:a", "plan:b"], entities=0)
    shown = " ".join(browser.get("/settings/audit-log/").content.decode().split())
    for words in ("Sync customers: yes", "Sync subscriptions: no", "Keys: plan:a, plan:b", "Entities: 0"):
        assert words in shown


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ("", ["three", "two", "one"]),
        ("who=AD", ["three", "one"]),
        ("action=sync", ["one"]),
        ("subject=TW", ["two"]),
        ("since=2026-03-02", ["three", "two"]),
        ("until=2026-03-02", ["two", "one"]),
        ("since=2026-03-02&until=2026-03-02", ["two"]),
        ("since=yesterday&subject=one", ["one"]),
        ("who=nobody", []),
    ],
)
def test_the_audit_log_is_narrowed_by_who_action_subject_and_time(
    browser: Client, query: str, subjects: list[str]
) -> None:
    note("ada", "sync", "one")
    note("bob", "remove", "two", days=1)
    note("ada", "dismiss", "three", days=2)
    response = browser.get(f"{AUDIT}?{query}")
    assert [entry.subject for entry in rows(response)] == subjects
    if not subjects:
        assert "No line matches." in response.content.decode()


def test_nonsense_in_a_filter_is_named_beside_it(browser: Client) -> None:
    assert "Enter a valid date." in browser.get(f"{AUDIT}?since=yesterday").content.decode()


def test_the_audit_log_is_exported_as_it_is_filtered_and_no_cell_is_a_formula(browser: Client) -> None:
    note("=cmd()", "sync", "@one", keys=["=1+1"])
    note("bob", "remove", "two", days=1)
    number = str(AuditEntry.objects.get(action="sync").pk)
    response: Any = browser.get("/settings/audit-log.csv?action=sync")
    body = b"".join(response.streaming_content).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(body))) == [
        ["number", "at", "who", "action", "subject", "detail"],
        [number, NOW.isoformat(), "'=cmd()", "sync", "'@one", '{"keys": ["=1+1"]}'],
    ]


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("", ["/four", "/three", "/two", "/v1/orders/O-1"]),
        ("answer=2xx", ["/two", "/v1/orders/O-1"]),
        ("answer=4xx", ["/three"]),
        ("answer=none", ["/four"]),
        ("answer=failed", ["/four", "/three", "/two"]),
        ("path=ORDERS", ["/v1/orders/O-1"]),
        ("entity=plan:pro", ["/two"]),
        ("entity=plan:pro/MONTHLY", ["/two"]),
        ("entity=pro", ["/two"]),
        ("entity=customer:pro", []),
        ("entity=nothing", []),
        ("track=t-3", ["/three"]),
        ("track=z-1", ["/v1/orders/O-1"]),
        ("since=2026-03-02", ["/four"]),
        ("answer=nonsense&path=four", ["/four"]),
    ],
)
def test_the_request_log_is_narrowed(browser: Client, connection: Connection, query: str, paths: list[str]) -> None:
    exchange(connection, zuora_request_id="z-1")
    exchange(connection, path="/two", delivery=of_plan(connection, "pro"), error="said no")
    exchange(connection, path="/three", status=404, error="not there", track_id="t-3")
    exchange(connection, path="/four", status=None, error="no answer", started_at=NOW + timedelta(days=1))
    assert [one.path for one in rows(browser.get(f"{REQUESTS}?{query}"))] == paths


@pytest.mark.parametrize("count", [3, 300])
def test_a_page_of_a_log_costs_the_same_however_long_it_is(
    browser: Client, connection: Connection, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    delivery = of_plan(connection, "pro")
    for number in range(count):
        note("ada", "sync", f"plan:{number}")
        exchange(connection, path=f"/{number}", delivery=delivery)
    # The session, the user, their permissions (two), the connection's banner; then the list.
    with django_assert_num_queries(7):  # and the actions to choose from
        assert len(rows(browser.get(AUDIT))) == min(count, 50)
    with django_assert_num_queries(6):
        assert len(rows(browser.get(REQUESTS))) == min(count, 50)
    newest = Request.objects.latest("pk").pk
    with django_assert_num_queries(6):
        browser.get(f"{REQUESTS}{newest}/")


def test_pages_of_a_log_go_on_where_the_last_one_ended(browser: Client) -> None:
    for number in range(60):
        note("ada", "sync", str(number))
    first = browser.get(f"{AUDIT}?who=ada")
    second = browser.get(AUDIT, {"who": "ada", "after": first.context["slice"].after})
    assert [entry.subject for entry in rows(second)] == [str(number) for number in range(9, -1, -1)]
    assert "who=ada" in second.content.decode().split('rel="prev"')[1].split(">")[0]


def test_a_request_shows_what_was_said_and_as_curl(browser: Client, connection: Connection) -> None:
    made = exchange(
        connection,
        method="POST",
        path="/v1/orders",
        body='{"a":1.50}',
        answer='{"success":true}',
        idempotency_key="k-1",
    )
    page = browser.get(f"{REQUESTS}{made.pk}/").content.decode()
    assert "&quot;a&quot;: 1.50" in page
    assert "&quot;success&quot;: true" in page
    assert "curl --request POST https://rest.test.zuora.com/v1/orders" in page
    assert "Bearer $ZUORA_TOKEN" in page
    assert browser.get(f"{REQUESTS}{made.pk + 1}/").status_code == 404


def test_a_hostile_answer_stays_text(browser: Client, connection: Connection) -> None:
    made = exchange(connection, path="/<script>alert(1)</script>", answer="<script>alert(2)</script>", error="<b>")
    for address in (REQUESTS, f"{REQUESTS}{made.pk}/"):
        page = browser.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<b>" not in page


def test_htmx_gets_the_rows_alone(browser: Client) -> None:
    for address in (AUDIT, REQUESTS):
        part = browser.get(address, headers={"HX-Request": "true"}).content.decode()
        assert part.startswith('<div id="rows">')
