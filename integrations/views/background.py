"""Background work: what is under way, how far it has come, and its report."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from integrations import operating
from integrations.models import Operation
from integrations.previewing import SENDS
from integrations.views.access import actor, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.overview import active_connection
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
#: Without what only the worker reads: a checkpoint can be long.
_shown = partial(Operation.objects.defer, "checkpoint", "parameters")


@viewers
def operation_list(request: HttpRequest) -> HttpResponse:
    page = page_of(_shown(), key="-pk", **edges_of(request), size=PAGE_SIZE)
    context = {
        "page": "background",
        "slice": page,
        "connection": active_connection(),
        "moves": any(operation.is_open for operation in page.rows),
    }
    return page_or_part(
        request, page="integrations/background.html", part="integrations/background_live.html", context=context
    )


@viewers
def operation_page(request: HttpRequest, operation_id: int) -> HttpResponse:
    operation = get_object_or_404(_shown(), pk=operation_id)
    outcome = request.GET.get("outcome", "")
    lines = operation.lines.filter(outcome=outcome) if outcome else operation.lines.all()
    context = {
        "page": "background",
        "operation": operation,
        "waited": operation.waited(timezone.now()),
        "outcome": outcome,
        "sends": any(name in SENDS for name in operation.tally),
        "slice": page_of(lines, key="pk", **edges_of(request), size=PAGE_SIZE),
    }
    return page_or_part(
        request, page="integrations/operation.html", part="integrations/operation_live.html", context=context
    )


@viewers
def operation_csv(request: HttpRequest, operation_id: int) -> HttpResponseBase:
    """Answer with the report as a file, or with what ended in one way."""
    operation = get_object_or_404(_shown(), pk=operation_id)
    lines = operation.lines.order_by("pk")
    if outcome := request.GET.get("outcome", ""):
        lines = lines.filter(outcome=outcome)
    rows = lines.values_list("key", "outcome", "text").iterator(chunk_size=2000)
    return as_csv(rows, name=f"background-{operation.pk}.csv", header=["key", "outcome", "text"])


@operators
def sync_everything(request: HttpRequest) -> HttpResponse:
    try:
        operation = operating.sync_everything(actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("background")
    messages.success(request, "Everything is being looked at. This page follows it.")
    return redirect("operation", operation.pk)


@operators
def operation_pause(request: HttpRequest, operation_id: int) -> HttpResponse:
    return _turn(request, operation_id, operating.pause_operation, "It stands. What is on its way ends by itself.")


@operators
def operation_resume(request: HttpRequest, operation_id: int) -> HttpResponse:
    return _turn(request, operation_id, operating.resume_operation, "It goes on from where it stood.")


@operators
def operation_cancel(request: HttpRequest, operation_id: int) -> HttpResponse:
    return _turn(
        request,
        operation_id,
        operating.cancel_operation,
        "It is cancelled. What it did stays done, and what is on its way ends by itself.",
    )


def _turn(request: HttpRequest, operation_id: int, verb: Callable[..., None], said: str) -> HttpResponse:
    operation = get_object_or_404(_shown(), pk=operation_id)
    try:
        verb(operation=operation, actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.info(request, str(answer))
    else:
        messages.success(request, said)
    return redirect("operation", operation.pk)
