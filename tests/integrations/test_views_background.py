from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations import operations
from integrations.models import AuditEntry, Connection, Operation, OperationLine, OperationState
from integrations.views import background as views
from tests.integrations.browsers import operators as browser

__all__ = ["browser"]
pytestmark = pytest.mark.django_db


def operation(**values: Any) -> Operation:
    made = operations.start(kind="backfill", title="Sync everything", actor=None, now=timezone.now(), total=1000)
    Operation.objects.filter(pk=made.pk).update(**values)
    made.refresh_from_db()
    return made


def line(of: Operation, key: str, outcome: str, text: str = "") -> OperationLine:
    return OperationLine.objects.create(operation=of, key=key, outcome=outcome, text=text)


def shown(response: Any) -> str:
    return " ".join(response.content.decode().split())


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_an_empty_list_says_what_will_be_there(browser: Client) -> None:
    assert "Nothing was done in the background yet." in shown(browser.get("/background/"))


def test_the_list_shows_how_far_each_has_come_the_newest_first(browser: Client) -> None:
    operation(state=OperationState.DONE, done=1000, failed=2, finished_at=timezone.now())
    operation(state=OperationState.RUNNING, done=250)
    page = shown(browser.get("/background/"))
    thousand = '<data value="1000" data-number>1,000</data>'
    assert page.index(f"250 of {thousand}") < page.index(f"{thousand} of {thousand}")
    assert '<progress class="progress" max="1000" value="250" aria-label="Progress of Sync everything">' in page
    assert "Done, some failed" in page
    assert 'hx-trigger="every 3s"' in page


def test_a_list_in_which_nothing_moves_does_not_refresh(browser: Client) -> None:
    operation(state=OperationState.PAUSED)
    assert "hx-trigger" not in shown(browser.get("/background/"))


def test_a_page_says_pace_time_left_and_what_became_of_it(browser: Client) -> None:
    one = operation(
        state=OperationState.RUNNING,
        done=250,
        failed=1,
        worked=timedelta(seconds=50),
        tally={"Synced": 249, "Failed": 1},
    )
    line(one, "plan:pro", "Failed", "Zuora refuses <it>.")
    page = shown(browser.get(f"/background/{one.pk}/"))
    for text in (
        '250 of <data value="1000" data-number>1,000</data>',
        "50 s, 5 a second",
        "about 2 min 30 s",
        "<strong>249</strong> Synced",
    ):
        assert text in page
    assert '<a href="/plans/pro/">pro</a>' in page
    assert "Zuora refuses &lt;it&gt;." in page
    assert 'hx-trigger="every 2s"' in page


def test_a_page_tells_work_and_waiting_apart(browser: Client) -> None:
    one = operation(state=OperationState.DONE, done=250, worked=timedelta(seconds=50))
    Operation.objects.filter(pk=one.pk).update(finished_at=one.created_at + timedelta(minutes=22))
    page = shown(browser.get(f"/background/{one.pk}/"))
    assert "<dt>Worked</dt><dd>50 s, 5 a second</dd>" in page
    assert "<dt>Waited</dt><dd>21 min: paused, for its turn, or for what it needs</dd>" in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OperationState.CANCELLED, "they end by themselves, and the report does not count them. See"),
        (OperationState.PAUSED, "they end by themselves, and the report does not count them until it is resumed. See"),
        (OperationState.RUNNING, None),
    ],
)
def test_a_page_says_how_many_had_left_when_it_was_stopped(
    browser: Client, state: OperationState, said: str | None
) -> None:
    one = operation(state=state, done=3, checkpoint={"place": 5, "ended": False, "open": [4, 5]})
    page = shown(browser.get(f"/background/{one.pk}/"))
    assert (f"2 had left already when it was stopped: {said}" in page) is (said is not None)
    assert ("had left already" in page) is (said is not None)


def test_a_report_is_filtered_by_outcome_and_exported(browser: Client) -> None:
    one = operation(state=OperationState.DONE, tally={"Failed": 1, "Waits": 1, "Synced": 3})
    line(one, "plan:a", "Failed", "=1+1")
    line(one, "plan:b", "Waits", "Waits for plan a.")
    rows = browser.get(f"/background/{one.pk}/?outcome=Waits").context["slice"].rows
    assert [row.key for row in rows] == ["plan:b"]
    assert "No line is kept of these" in shown(browser.get(f"/background/{one.pk}/?outcome=Synced"))
    whole = browser.get(f"/background/{one.pk}/report.csv")
    assert whole.headers["Content-Type"].startswith("text/csv")
    assert whole.getvalue().decode("utf-8-sig").splitlines() == [
        "key,outcome,text",
        "plan:a,Failed,'=1+1",
        "plan:b,Waits,Waits for plan a.",
    ]
    part = browser.get(f"/background/{one.pk}/report.csv?outcome=Failed").getvalue().decode("utf-8-sig")
    assert part.splitlines() == ["key,outcome,text", "plan:a,Failed,'=1+1"]


def test_pages_of_a_report_keep_the_filter(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    one = operation(state=OperationState.DONE)
    keys = [line(one, f"plan:{number}", "Failed").pk for number in range(3)]
    assert f"?outcome=Failed&amp;after={keys[1]}" in shown(browser.get(f"/background/{one.pk}/?outcome=Failed"))
    rest = browser.get(f"/background/{one.pk}/?outcome=Failed&after={keys[1]}").context["slice"].rows
    assert [row.key for row in rest] == ["plan:2"]


def test_it_is_paused_resumed_and_cancelled_with_an_audit_entry_each(browser: Client) -> None:
    one = operation(state=OperationState.RUNNING, done=7)
    states = []
    for verb in ("pause", "resume", "cancel"):
        assert said(browser.post(f"/background/{one.pk}/{verb}/", follow=True)) != []
        one.refresh_from_db()
        states.append(one.state)
    assert states == [OperationState.PAUSED, OperationState.WAITING, OperationState.CANCELLED]
    entries = AuditEntry.objects.order_by("pk").values_list("actor_name", "action", "subject")
    assert list(entries) == [("operator", verb, "Sync everything") for verb in ("pause", "resume", "cancel")]


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("pause", "It does not run any more: there is nothing to pause."),
        ("resume", "It does not stand: there is nothing to resume."),
        ("cancel", "It has ended already."),
    ],
)
def test_what_has_ended_says_so(browser: Client, verb: str, answer: str) -> None:
    one = operation(state=OperationState.DONE, finished_at=timezone.now())
    assert said(browser.post(f"/background/{one.pk}/{verb}/", follow=True)) == [answer]
    assert AuditEntry.objects.count() == 0


def test_syncing_everything_is_begun_once(browser: Client) -> None:
    first = browser.post("/background/sync-everything/", follow=True)
    assert said(first) == ["Everything is being looked at. This page follows it."]
    again = browser.post("/background/sync-everything/", follow=True)
    assert said(again) == ["“Sync everything” is not finished yet: see Background work."]
    assert Operation.objects.count() == 1


@pytest.mark.parametrize("address", ["/", "/background/"])
def test_syncing_everything_is_offered_to_those_who_may(browser: Client, address: str) -> None:
    assert "Sync everything</button>" in shown(browser.get(address))
    User.objects.get(username="operator").groups.clear()
    User.objects.get(username="operator").groups.add(Group.objects.get(name="Viewer"))
    assert "Sync everything</button>" not in shown(browser.get(address))


def test_without_a_tenant_nothing_is_begun(browser: Client) -> None:
    Connection.objects.update(removed_at=timezone.now())
    assert "Sync everything</button>" not in shown(browser.get("/background/"))
    assert "Zuora is not connected" in said(browser.post("/background/sync-everything/", follow=True))[0]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("address", "queries"), [("/background/", 7), ("/background/{}/", 7)])
def test_pages_take_a_fixed_number_of_queries(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries, rows: int, address: str, queries: int
) -> None:
    for _ in range(rows):
        one = operation(tally={"Failed": rows})
    for number in range(rows):
        line(one, f"plan:{number}", "Failed")
    browser.get(address.format(one.pk))
    with django_assert_num_queries(queries):
        browser.get(address.format(one.pk))


@pytest.mark.parametrize(("tally", "offered"), [({"Unchanged": 2}, False), ({"Unchanged": 2, "Would update": 1}, True)])
def test_a_preview_is_applied_only_where_something_would_be_sent(
    browser: Client, tally: dict[str, int], offered: bool
) -> None:
    seen = operation(kind="preview", state="DONE", tally=tally)
    page = browser.get(f"/background/{seen.pk}/").content.decode()
    assert ("Apply all" in page, "there is nothing to apply" in page) == (offered, not offered)
