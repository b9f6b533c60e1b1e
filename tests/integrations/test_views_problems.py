from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from integrations.models import AuditEntry, Connection, EntityKind, JobState, Priority, SyncJob, SyncRecord
from integrations.models.job import cause_of
from integrations.views import problems as views
from tests.factories.catalog import PlanFactory
from tests.factories.customers import CustomerFactory
from tests.integrations.browsers import operators as browser

__all__ = ["browser"]
pytestmark = pytest.mark.django_db


def fail(row: Any, reason: str = "Made up.") -> SyncJob:
    """Let the row's job have failed."""
    job = SyncJob.objects.get(kind=row._meta.model_name, entity_id=row.pk)
    job.state, job.reason, job.finished_at = JobState.FAILED, reason, timezone.now()
    job.cause = cause_of(reason)
    job.save()
    return job


def waiting() -> list[tuple[str, int]]:
    return sorted(SyncJob.objects.waiting().values_list("key", "priority"))


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_failed_jobs_are_listed_with_their_reason_the_newest_first(browser: Client) -> None:
    first = fail(PlanFactory.create(ref_id="first"), "A reason <of> its own.")
    second = fail(CustomerFactory.create(ref_id="second"))
    response = browser.get("/problems/")
    assert [job.pk for job in response.context["slice"].rows] == [second.pk, first.pk]
    assert "A reason &lt;of&gt; its own." in response.content.decode()
    assert [job.pk for job in browser.get("/problems/?kind=plan").context["slice"].rows] == [first.pk]


def test_failures_are_filtered_by_cause(browser: Client) -> None:
    match = fail(PlanFactory.create(), "The unit 'a' is missing.")
    fail(PlanFactory.create(), "Something else.")
    rows = browser.get("/problems/", {"cause": "The unit … is missing."}).context["slice"].rows
    assert [job.pk for job in rows] == [match.pk]


def test_the_most_frequent_causes_are_offered_and_the_chosen_one(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_CAUSES", 1)
    for reason in ("Twice.", "Twice.", "Once.", "Never."):
        fail(PlanFactory.create(), reason)

    def offered(**asked: str) -> list[str]:
        return [one.text for one in browser.get("/problems/", asked).context["causes"]]

    assert offered() == ["Twice."]
    assert offered(cause="Never.") == ["Twice.", "Never."]


def test_only_the_chosen_ones_are_tried_again_at_a_clicks_priority(browser: Client) -> None:
    chosen = [fail(PlanFactory.create(ref_id="a")), fail(CustomerFactory.create(ref_id="b"))]
    fail(PlanFactory.create(ref_id="c"))
    response = browser.post("/problems/retry/", {"job": [job.pk for job in chosen]}, follow=True)
    assert waiting() == [("customer:b", Priority.CLICK), ("plan:a", Priority.CLICK)]
    assert said(response) == ["2 on their way again."]
    assert AuditEntry.objects.filter(action="sync").count() == 2


def test_all_of_one_cause_are_tried_again(browser: Client) -> None:
    for name in ("a", "b"):
        fail(PlanFactory.create(ref_id=name), f"The unit '{name}' is missing.")
    fail(PlanFactory.create(ref_id="c"), "Something else.")
    browser.post("/problems/retry/", {"cause": "The unit … is missing."})
    assert waiting() == [("plan:a", Priority.CLICK), ("plan:b", Priority.CLICK)]


def test_many_of_one_cause_are_tried_again_in_the_background(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "_AT_ONCE", 1)
    for name in ("a", "b"):
        fail(PlanFactory.create(ref_id=name), f"The unit '{name}' is missing.")
    response = browser.post("/problems/retry/", {"cause": "The unit … is missing."}, follow=True)
    assert said(response) == ["They are being tried again. This page follows it."]
    assert response.context["operation"].title == "Retry 2: The unit … is missing."
    assert waiting() == []


def test_retry_tells_the_truth_when_somebody_got_there_first(browser: Client) -> None:
    failed = fail(PlanFactory.create(ref_id="a"))
    SyncJob.objects.filter(pk=failed.pk).update(state=JobState.DONE, cause="")
    response = browser.post("/problems/retry/", {"job": [failed.pk]}, follow=True)
    assert said(response) == ["1 had been tried again, or settled, by somebody else meanwhile."]
    assert waiting() == []


def test_retrying_nothing_says_what_to_do(browser: Client) -> None:
    assert said(browser.post("/problems/retry/", follow=True)) == [
        "Nothing was chosen: tick the failures to try again."
    ]
    assert said(browser.post("/problems/retry/", {"job": ["x"]}, follow=True)) == [
        "Nothing was chosen: tick the failures to try again."
    ]


def test_dismissing_takes_it_off_the_list_and_keeps_the_reason(browser: Client) -> None:
    failed = fail(PlanFactory.create(ref_id="a"))
    browser.post("/problems/dismiss/", {"job": [failed.pk], "reason": "Sold by hand."})
    assert browser.get("/problems/").context["slice"].rows == []
    entry = AuditEntry.objects.get(action="dismiss")
    assert (entry.actor_name, entry.subject, entry.detail) == ("operator", "plan:a", {"reason": "Sold by hand."})


def test_dismissing_needs_a_reason(browser: Client) -> None:
    failed = fail(PlanFactory.create(ref_id="a"))
    response = browser.post("/problems/dismiss/", {"job": [failed.pk], "reason": ""}, follow=True)
    assert said(response) == ["Say why nothing needs to be done: the audit log keeps it."]
    failed.refresh_from_db()
    assert failed.state == JobState.FAILED


def test_dismissing_what_is_settled_says_so(browser: Client) -> None:
    failed = fail(PlanFactory.create(ref_id="a"))
    SyncJob.objects.filter(pk=failed.pk).update(state=JobState.DONE)
    response = browser.post("/problems/dismiss/", {"job": [failed.pk], "reason": "x"}, follow=True)
    assert said(response) == ["1 had been tried again, or settled, by somebody else meanwhile."]


def test_of_two_that_are_dismissed_the_one_that_a_worker_settled_meanwhile_is_told(browser: Client) -> None:
    still, gone = fail(PlanFactory.create(ref_id="a")), fail(PlanFactory.create(ref_id="b"))
    shown = browser.get("/problems/").content.decode()
    assert shown.count('name="job"') == 2
    SyncJob.objects.filter(pk=gone.pk).update(state=JobState.DONE, reason="sent")  # between the page and the click
    response = browser.post("/problems/dismiss/", {"job": [still.pk, gone.pk], "reason": "x"}, follow=True)
    assert said(response) == [
        "1 is off the list.",
        "1 had been tried again, or settled, by somebody else meanwhile.",
    ]
    gone.refresh_from_db()
    assert gone.reason == "sent"


def test_dismissing_nothing_says_what_to_do(browser: Client) -> None:
    response = browser.post("/problems/dismiss/", {"reason": "x"}, follow=True)
    assert said(response) == ["Nothing was chosen: tick the failures to take off the list."]


def stop(ref_id: str) -> SyncRecord:
    """Let a customer be in Zuora, and no longer synced."""
    CustomerFactory.create(ref_id=ref_id)
    SyncRecord.objects.filter(key=f"customer:{ref_id}").update(status="NO_SYNC_REQUIRED", zuora_id="a" * 32)
    return SyncRecord.objects.get(key=f"customer:{ref_id}")


def test_what_is_linked_and_stopped_waits_for_a_decision_until_somebody_keeps_it(browser: Client) -> None:
    one, other, settled = stop("a"), stop("b"), stop("c")
    assert [record.pk for record in browser.get("/problems/").context["to_decide"]] == [one.pk, other.pk, settled.pk]
    assert browser.get("/").context["to_decide"] == 3
    SyncRecord.objects.filter(pk=settled.pk).update(status="SUCCESS")  # a worker was faster
    response = browser.post("/problems/keep/", {"record": [one.pk, settled.pk]}, follow=True)
    assert said(response) == [
        "1 is to stay in Zuora.",
        "1 had been tried again, or settled, by somebody else meanwhile.",
    ]
    assert [record.pk for record in browser.get("/problems/").context["to_decide"]] == [other.pk]
    assert AuditEntry.objects.filter(action="keep in Zuora").count() == 1
    assert said(browser.post("/problems/keep/", follow=True)) == ["Nothing was chosen: tick what is to stay in Zuora."]


def test_what_waits_for_long_stands_beside_the_failures(browser: Client) -> None:
    PlanFactory.create(ref_id="late")
    PlanFactory.create(ref_id="fresh")
    SyncJob.objects.filter(key="plan:late").update(created_at=timezone.now() - views.LONG - timedelta(seconds=1))
    assert [job.key for job in browser.get("/problems/").context["long_waiting"]] == ["plan:late"]


def test_activity_lists_every_job_and_filters_by_state_and_kind(browser: Client) -> None:
    fail(PlanFactory.create(ref_id="a"))
    CustomerFactory.create(ref_id="b")

    def keys(query: str) -> list[str]:
        return [job.key for job in browser.get(f"/activity/{query}").context["slice"].rows]

    assert keys("") == ["customer:b", "plan:a"]
    assert keys("?state=FAILED") == ["plan:a"]
    assert keys("?kind=customer") == ["customer:b"]
    assert keys("?state=FAILED&kind=customer") == []
    assert keys("?state=nonsense") == ["customer:b", "plan:a"]


def test_pages_of_jobs_keep_the_filter(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 2)
    jobs = [fail(PlanFactory.create()).pk for _ in range(3)]
    first = browser.get("/activity/?state=FAILED")
    assert [job.pk for job in first.context["slice"].rows] == [jobs[2], jobs[1]]
    assert f"?state=FAILED&amp;after={jobs[1]}" in first.content.decode()
    rest = browser.get(f"/activity/?state=FAILED&after={jobs[1]}").context["slice"].rows
    assert [job.pk for job in rest] == [jobs[0]]


@pytest.mark.parametrize("address", ["/problems/?after=x", "/activity/?before=x%27--", "/activity/?after="])
def test_a_mistyped_page_is_the_first_page(browser: Client, address: str) -> None:
    fail(PlanFactory.create())
    assert len(browser.get(address).context["slice"].rows) == 1


@pytest.mark.parametrize(("address", "queries"), [("/problems/", 16), ("/activity/", 7)])
@pytest.mark.parametrize("rows", [1, 3])
def test_lists_of_jobs_take_a_fixed_number_of_queries(
    browser: Client, django_assert_num_queries: DjangoAssertNumQueries, address: str, queries: int, rows: int
) -> None:
    for _ in range(rows):
        fail(PlanFactory.create())
    browser.get(address)
    with django_assert_num_queries(queries):
        browser.get(address)


def test_without_a_tenant_there_is_nothing_to_retry(browser: Client) -> None:
    failed = fail(PlanFactory.create())
    assert failed.kind == EntityKind.PLAN
    Connection.objects.update(removed_at=timezone.now())
    response = browser.post("/problems/retry/", {"job": [failed.pk]}, follow=True)
    assert said(response) == ["There is no Zuora tenant to sync with: connect one first."]
