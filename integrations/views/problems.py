"""What needs a person, and everything that was done."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from itertools import groupby
from typing import Any, TypeVar

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from integrations import figures, operating
from integrations.counting import PROBLEMS, USAGE_PROBLEMS
from integrations.filters import Narrowing
from integrations.forms import DismissForm
from integrations.models import Connection, EntityKind, JobState, SyncJob, SyncRecord
from integrations.problems import problems, to_decide
from integrations.views.access import actor, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.looking_back import look_back
from integrations.views.overview import active_connection, causes_among
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
#: What waits for a decision, or waits long, is shown beside the failures, and not page by page.
_BESIDE = 20
#: A choice of more causes helps nobody: the most frequent are offered.
_CAUSES = 100
#: While they are counted for the first time none are offered.
_NOTHING: dict[str, list[Any]] = {"causes": []}
#: A job that waits longer than this is shown beside the failed ones.
LONG = timedelta(minutes=15)
#: More of one cause are tried again in the background.
_AT_ONCE = 100
#: Of the jobs that wait, those that go when another entity has arrived.
FOR_PARENTS = "PARENT"
_DIGITS = 19  # of a bigint
#: Of these there may be a million jobs, all of them before a million others.
_OF_MANY = {EntityKind.CUSTOMER, EntityKind.SUBSCRIPTION}
Row = TypeVar("Row")


@viewers
def problem_list(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    cause, kind = request.GET.get("cause", ""), request.GET.get("kind", "")
    context: dict[str, Any] = {"connection": connection, "page": "problems", "cause": cause, "kind": kind}
    context["kinds"] = EntityKind.choices[:5]
    if connection:
        failed = problems(connection)
        if kind in EntityKind:
            failed = failed.filter(kind=kind)
        found = figures.read(connection, PROBLEMS, USAGE_PROBLEMS, now=timezone.now())
        known = causes_among((found[PROBLEMS].value or _NOTHING)["causes"], kind=kind if kind in EntityKind else "")
        offered, rare = known[:_CAUSES], known[_CAUSES:]
        context["causes"] = [*offered, *(one for one in rare if one.text == cause)]
        if cause:
            failed = failed.filter(cause=cause)
        context["slice"] = page_of(failed, key="-pk", **edges_of(request), size=PAGE_SIZE)
        context["causes_at"] = found[PROBLEMS].counted_at
        context["usage_problems"] = found[USAGE_PROBLEMS]
        context["to_decide"] = _to_decide(connection)
        context["decisions_shown"] = _BESIDE
        context["long_waiting"] = _long_waiting(connection)[:_BESIDE]
    return page_or_part(
        request, page="integrations/problems.html", part="integrations/problems_live.html", context=context
    )


def _to_decide(connection: Connection) -> list[SyncRecord]:
    records = list(to_decide(connection).order_by("status_since", "pk")[: _BESIDE + 1])
    for record in records:
        record.connection = connection
    return records


def _long_waiting(connection: Connection) -> QuerySet[SyncJob]:
    # A job is also late when it has been tried and put off again and again.
    late = SyncJob.objects.waiting().filter(connection=connection, created_at__lt=timezone.now() - LONG)
    return late.order_by("created_at")


@operators
def problems_retry(request: HttpRequest) -> HttpResponse:
    """Try the chosen failed jobs again, or all of one cause."""
    connection = active_connection()
    if connection is None:
        messages.error(request, "There is no Zuora tenant to sync with: connect one first.")
        return redirect("problems")
    failed = problems(connection)
    if cause := request.POST.get("cause", ""):
        chosen = list(failed.filter(cause=cause)[: _AT_ONCE + 1])
        if len(chosen) > _AT_ONCE:
            return _retry_in_background(request, cause)
        asked = len(chosen)
    else:
        ids = _chosen(request, "job")
        chosen, asked = list(failed.filter(pk__in=ids)), len(ids)
    if not asked:
        messages.info(request, "Nothing was chosen: tick the failures to try again.")
        return redirect("problems")
    count = _retry(request, chosen)
    gone = asked - len(chosen)
    if count:
        messages.success(request, f"{count} on {'its' if count == 1 else 'their'} way again.")
    if gone:
        messages.info(request, f"{gone} had been tried again, or settled, by somebody else meanwhile.")
    return redirect("problems")


def _retry_in_background(request: HttpRequest, cause: str) -> HttpResponse:
    try:
        operation = operating.retry_cause(cause=cause, actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.info(request, str(answer))
        return redirect("problems")
    messages.success(request, "They are being tried again. This page follows it.")
    return redirect("operation", operation.pk)


def _retry(request: HttpRequest, jobs: list[SyncJob]) -> int:
    ordered = sorted(jobs, key=lambda job: job.kind)
    return sum(
        operating.sync_now(
            kind=EntityKind(kind),
            entity_ids=[job.entity_id for job in group],
            actor=actor(request),
            now=timezone.now(),
        )
        for kind, group in groupby(ordered, key=lambda job: job.kind)
    )


@operators
def problems_dismiss(request: HttpRequest) -> HttpResponse:
    """Take the chosen failures off the list, with a reason that the audit log keeps."""
    form = DismissForm(request.POST)
    ids = _chosen(request, "job")
    if not ids:
        messages.info(request, "Nothing was chosen: tick the failures to take off the list.")
    elif not form.is_valid():
        messages.error(request, "Say why nothing needs to be done: the audit log keeps it.")
    else:
        connection = active_connection()
        jobs = problems(connection).filter(pk__in=ids) if connection else ()
        reason = form.cleaned_data["reason"]
        done = _each(
            jobs, lambda job: operating.dismiss(job=job, reason=reason, actor=actor(request), now=timezone.now())
        )
        _tell(request, done, asked=len(ids), success="off the list")
    return redirect("problems")


@operators
def problems_keep(request: HttpRequest) -> HttpResponse:
    """Decide about the chosen of what is linked and no longer synced: it stays in Zuora."""
    ids = _chosen(request, "record")
    if not ids:
        messages.info(request, "Nothing was chosen: tick what is to stay in Zuora.")
        return redirect("problems")
    connection = active_connection()
    records = to_decide(connection).filter(pk__in=ids) if connection else ()
    done = _each(records, lambda one: operating.keep(record=one, actor=actor(request), now=timezone.now()))
    _tell(request, done, asked=len(ids), success="to stay in Zuora")
    return redirect("problems")


def _chosen(request: HttpRequest, name: str) -> list[int]:
    """Return the numbers that were ticked, as many as a page has at most."""
    return [int(key) for key in request.POST.getlist(name) if key.isdecimal() and len(key) < _DIGITS][:PAGE_SIZE]


def _each(rows: Iterable[Row], do: Callable[[Row], None]) -> int:
    """Do it for each row; return for how many it could be done: somebody else may have been faster."""
    done = 0
    for row in rows:
        with suppress(operating.Impossible):
            do(row)
            done += 1
    return done


def _tell(request: HttpRequest, done: int, *, asked: int, success: str) -> None:
    if done:
        messages.success(request, f"{done} {'is' if done == 1 else 'are'} {success}.")
    if gone := asked - done:
        messages.info(request, f"{gone} had been tried again, or settled, by somebody else meanwhile.")


@viewers
def activity(request: HttpRequest) -> HttpResponse:
    """Every job, the newest first."""
    connection = active_connection()
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    jobs = SyncJob.objects.filter(connection=connection)
    few: list[Q] = []
    many: list[Q] = []
    if state == FOR_PARENTS:
        few.append(Q(state=JobState.WAITING) & ~Q(waiting_for=""))
    elif state in JobState:
        (many if state == JobState.DONE else few).append(Q(state=state))
    if kind in EntityKind:
        (many if kind in _OF_MANY else few).append(Q(kind=kind))
    context = {
        "connection": connection,
        "page": "activity",
        "state": state,
        "kind": kind,
        "states": [*JobState.choices, (FOR_PARENTS, "Waiting for another entity")],
        "kinds": EntityKind.choices[:5],
        "slice": look_back(
            jobs, Narrowing(Q(), few, Q(*many)), key=("-id",), moment="created_at", **edges_of(request), size=PAGE_SIZE
        ),
    }
    return page_or_part(
        request, page="integrations/activity.html", part="integrations/activity_live.html", context=context
    )
