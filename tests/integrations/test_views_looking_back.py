"""A log that is searched for what no index lists: each page looks at some of it, and says how far it came."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.filters import Narrowing
from integrations.models import AuditEntry, Connection, Delivery, EntityKind, Request, SyncJob
from integrations.views import looking_back
from tests.factories.catalog import PlanFactory
from tests.integrations.searched_logs import NOW, browser, follow

__all__ = ["browser"]
pytestmark = [pytest.mark.django_db, pytest.mark.engine]
AUDIT = "/settings/audit-log/"
REQUESTS = "/settings/requests/"


def lines(count: int, subject: Callable[[int], str], **values: Callable[[int], str]) -> None:
    """Write lines, an hour apart: number 0 is the oldest."""
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=NOW + timedelta(hours=number),
            **{
                "actor_name": "ada",
                "action": "sync",
                "subject": subject(number),
                **{name: value(number) for name, value in values.items()},
            },
        )
        for number in range(count)
    )


def requests(connection: Connection, count: int, **values: Callable[[int], Any]) -> None:
    Request.objects.bulk_create(
        Request(
            connection=connection,
            method="GET",
            duration_ms=12,
            started_at=NOW + timedelta(hours=number),
            **{"path": f"/{number}", "status": 200, **{name: value(number) for name, value in values.items()}},
        )
        for number in range(count)
    )


def shown(response: Any) -> list[str]:
    return [getattr(row, "subject", None) or row.path for row in response.context["slice"].rows]


def test_a_rare_text_is_found_by_looking_further_and_every_page_says_how_far_it_looked(browser: Client) -> None:
    lines(35, lambda number: f"plan:rare-{number}" if number in {3, 33} else f"plan:pro-{number}")
    first = browser.get(f"{AUDIT}?subject=RARE")
    assert shown(first) == ["plan:rare-33"]
    assert "Looked through back to" in first.content.decode()
    assert "2026-03-02 13:00 UTC" in first.content.decode().split("Looked through back to")[1].split(";")[0]
    second = follow(browser, first, "next")
    assert shown(second) == []
    assert "No line matches so far." in second.content.decode()
    third = follow(browser, second, "next")
    assert shown(third) == []
    last = follow(browser, third, "next")
    assert shown(last) == ["plan:rare-3"]
    assert 'rel="next"' not in last.content.decode()
    assert "Looked through" not in last.content.decode()


def test_what_found_nothing_goes_on_by_itself_and_what_found_something_does_not(browser: Client) -> None:
    lines(25, lambda number: f"plan:rare-{number}" if number == 24 else "plan:pro")
    assert 'hx-trigger="load"' not in browser.get(f"{AUDIT}?subject=rare").content.decode()
    page = browser.get(f"{AUDIT}?subject=nowhere").content.decode()
    goes_on = unescape(page.split('<div hx-get="')[1].split('"')[0])
    page = browser.get(goes_on).content.decode()
    page = browser.get(unescape(page.split('<div hx-get="')[1].split('"')[0])).content.decode()
    assert 'hx-trigger="load"' not in page
    assert "No older line matches." in page


def test_a_full_page_goes_on_from_its_last_row_and_back_again(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.views.logs.PAGE_SIZE", 3)
    lines(12, lambda number: f"plan:{number}")
    first = browser.get(f"{AUDIT}?subject=plan")
    assert shown(first) == ["plan:11", "plan:10", "plan:9"]
    assert "Looked through" not in first.content.decode()
    second = follow(browser, first, "next")
    assert shown(second) == ["plan:8", "plan:7", "plan:6"]
    assert shown(follow(browser, second, "prev")) == shown(first)


def test_the_way_back_looks_through_as_much_and_ends_at_the_newest(browser: Client) -> None:
    lines(30, lambda number: f"plan:rare-{number}" if number in {2, 28} else "plan:pro")
    oldest = AuditEntry.objects.order_by("at")[1]
    back = browser.get(AUDIT, {"subject": "rare", "before": f'["{oldest.at.isoformat()}", "{oldest.pk}"]'})
    assert shown(back) == ["plan:rare-2"]
    assert "Looked through up to" in back.content.decode()
    further = follow(browser, back, "prev")
    assert shown(further) == []
    newest = follow(browser, further, "prev")
    assert shown(newest) == ["plan:rare-28"]
    assert 'rel="prev"' not in newest.content.decode()
    nothing = browser.get(AUDIT, {"subject": "nowhere", "before": f'["{NOW + timedelta(hours=25)}", "1"]'})
    assert "No newer line matches." in nothing.content.decode()


def test_of_two_filters_the_rare_one_is_looked_along(browser: Client, connection: Connection) -> None:
    """However long ago it was: a hundred others of the common one are not looked through for it."""
    lines(
        100,
        str,
        actor_name=lambda number: "founder" if number < 5 else "ada",
        action=lambda number: "connect" if number in {5, 6} else "sync",
    )
    assert shown(browser.get(f"{AUDIT}?who=founder&action=sync")) == ["4", "3", "2", "1", "0"]
    assert shown(browser.get(f"{AUDIT}?who=founder&action=sync&subject=3")) == ["3"]
    assert shown(browser.get(f"{AUDIT}?who=ada&action=connect")) == ["6", "5"]
    assert shown(browser.get(f"{AUDIT}?who=d&subject=99")) == ["99"]  # both names have a "d"
    requests(connection, 100, status=lambda number: 404 if number < 5 else 200)
    assert shown(browser.get(f"{REQUESTS}?answer=4xx&path=3")) == ["/3"]
    assert shown(browser.get(f"{REQUESTS}?answer=5xx&path=3")) == []


def test_a_text_of_an_entity_or_a_track_is_found_at_once(browser: Client, connection: Connection) -> None:
    plan = PlanFactory.create(ref_id="pro")
    job = SyncJob.objects.create(
        connection=connection, kind=EntityKind.PLAN, entity_id=plan.pk, key="plan:pro", state="DONE", not_before=NOW,
        created_at=NOW,
    )  # fmt: skip
    delivery = Delivery.objects.create(job=job, track_id="t", worker="w", started_at=NOW)
    requests(
        connection,
        40,
        delivery=lambda number: delivery if number < 3 else None,
        track_id=lambda number: "t-1" if number < 2 else "",
        error=lambda number: "" if number else "no answer",
    )
    assert shown(browser.get(f"{REQUESTS}?entity=plan:pro&path=/")) == ["/2", "/1", "/0"]
    assert shown(browser.get(f"{REQUESTS}?entity=pro&answer=2xx")) == ["/2", "/1", "/0"]
    assert shown(browser.get(f"{REQUESTS}?track=t-1&entity=pro&answer=failed")) == ["/0"]
    assert shown(browser.get(f"{REQUESTS}?track=t-1&entity=nobody")) == []
    assert shown(browser.get(f"{REQUESTS}?entity=nobody&path=/1")) == []
    assert shown(browser.get(f"{AUDIT}?who=nobody&action=sync&subject=x")) == []


def test_a_whole_subject_or_a_stigg_id_is_found_at_once_and_the_rest_by_a_link(browser: Client) -> None:
    lines(100, lambda number: {1: "plan:pro", 2: "coupon:pro", 3: "plan:pro-2"}.get(number, f"plan:{number}-pro"))
    assert shown(browser.get(f"{AUDIT}?subject=plan:pro")) == ["plan:pro"]
    page = browser.get(f"{AUDIT}?subject=pro")
    assert shown(page) == ["coupon:pro", "plan:pro"]
    assert "Only lines about <b>plan:pro</b>, <b>coupon:pro</b>." in page.content.decode()
    assert shown(browser.get(f"{AUDIT}?subject=pro&who=nobody")) == []
    link = unescape(page.content.decode().split("coupon:pro</b>.")[1].split('href="')[1].split('"')[0])
    everywhere = browser.get(link)
    assert shown(everywhere) == [f"plan:{number}-pro" for number in range(99, 89, -1)]
    assert "Only lines about" not in everywhere.content.decode()
    response: Any = browser.get("/settings/audit-log.csv?subject=pro")
    assert b"".join(response.streaming_content).decode().count("\n") == 3


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # The session, the user, their permissions (two), the connection's banner; then how far may be looked, what
        # fits, and its rows. The audit log's actions
        # are read once more, and for each of six subjects whether there is one.
        (f"{AUDIT}?subject=lan", 15),
        (f"{AUDIT}?subject=nowhere", 14),
        (f"{AUDIT}?subject=plan:nowhere", 9),
        (f"{AUDIT}?subject=2", 13),
        (f"{AUDIT}?subject=plan:2", 8),
        (f"{AUDIT}?subject=plan:2&action=sync", 10),
        (f"{AUDIT}?action=sync&subject=lan", 15),
        (f"{AUDIT}?who=ada&subject=lan", 16),  # and the names
        (f"{AUDIT}?who=ada", 8),
        (f"{AUDIT}?action=sync&until=2026-03-30", 7),
        (f"{REQUESTS}?path=/", 8),
        (f"{REQUESTS}?path=/nowhere", 7),
        (f"{REQUESTS}?answer=2xx&path=/", 8),
        (f"{REQUESTS}?answer=2xx&until=2026-03-30", 6),
        (f"{REQUESTS}?track=t-1", 6),
        (f"{REQUESTS}?entity=plan:pro", 7),
        (f"{REQUESTS}?entity=plan:pro&path=/", 9),
    ],
)
def test_a_searched_page_costs_the_same_however_long_the_log_is(
    browser: Client,
    connection: Connection,
    count: int,
    address: str,
    expected: int,
) -> None:
    plan = PlanFactory.create(ref_id="pro")
    job = SyncJob.objects.create(
        connection=connection, kind=EntityKind.PLAN, entity_id=plan.pk, key="plan:pro", state="DONE", not_before=NOW,
        created_at=NOW,
    )  # fmt: skip
    delivery = Delivery.objects.create(job=job, track_id="t", worker="w", started_at=NOW)
    lines(count, lambda number: f"plan:{number}")
    requests(connection, count, delivery=lambda _: delivery, track_id=lambda _: "t-1")
    with CaptureQueriesContext(database) as queries:
        browser.get(address)
    assert len(queries) == expected


@pytest.mark.usefixtures("browser")
def test_no_page_looks_at_more_than_it_says(connection: Connection) -> None:
    """The limit stands inside, before anything is judged: PostgreSQL is not free to read the whole log."""
    requests(connection, 30)
    sought = Narrowing(Q(), (), Q(path__icontains="/"))
    page = looking_back.look_back(
        Request.objects.all(), sought, key=("-started_at", "-id"), moment="started_at", size=50
    )
    assert [row.path for row in page.rows] == [f"/{number}" for number in range(29, 19, -1)]
    assert page.until == NOW + timedelta(hours=20)


def test_an_export_is_the_whole_however_little_a_page_looks_at(browser: Client) -> None:
    lines(45, lambda number: f"plan:rare-{number}" if number in {1, 22, 44} else "plan:pro")
    response: Any = browser.get("/settings/audit-log.csv?subject=rare")
    table = list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [row[4] for row in table] == ["subject", "plan:rare-44", "plan:rare-22", "plan:rare-1"]
    everything: Any = browser.get("/settings/audit-log.csv")
    assert b"".join(everything.streaming_content).decode().count("\n") == 46
