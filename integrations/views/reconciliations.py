"""The comparisons of events, slices and Zuora that were kept, and one made now."""

from itertools import chain

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from integrations import operating, usage_comparing
from integrations.models import UsageReconciliation
from integrations.usage_nobodys import HEADER, WHAT_TO_DO, cells_of
from integrations.views.access import actor, asking_operators, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.overview import active_connection
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
#: So much that is billed to nobody is shown; the export holds all of it.
_NOBODYS_SHOWN = 50


@viewers
def reconciliation_list(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    page = page_of(UsageReconciliation.objects.all(), key="-pk", **edges_of(request), size=PAGE_SIZE)
    context = {
        "page": "usage",
        "connection": active_connection(),
        "slice": page,
        "reports": [(one, one.is_running(now=now)) for one in page.rows],
        "running": UsageReconciliation.objects.running(now=now).exists(),
    }
    return page_or_part(
        request,
        page="integrations/reconciliations.html",
        part="integrations/reconciliations_live.html",
        context=context,
    )


@viewers
def reconciliation(request: HttpRequest, report_id: int) -> HttpResponse:
    """Show one comparison with all of its differences; while it is under way the page follows it."""
    report = get_object_or_404(UsageReconciliation, pk=report_id)
    context = {
        "page": "usage",
        "connection": active_connection(),
        "report": report,
        "running": report.is_running(now=timezone.now()),
        "slice": page_of(report.differences.all(), key="pk", **edges_of(request), size=PAGE_SIZE),
        "of_nobody": report.of_nobody.all()[:_NOBODYS_SHOWN] if report.unattributed else [],
        "more_of_nobody": max(report.unattributed - _NOBODYS_SHOWN, 0),
        "what_to_do": WHAT_TO_DO,
    }
    return page_or_part(
        request, page="integrations/reconciliation.html", part="integrations/reconciliation_live.html", context=context
    )


@viewers
def reconciliation_export(_request: HttpRequest, report_id: int) -> HttpResponseBase:
    """Send all differences of a comparison, and what is billed to nobody, as `reconcile_usage --csv` writes them."""
    report = get_object_or_404(UsageReconciliation, pk=report_id)
    parts = (report.differences.values_list("line", flat=True), report.of_nobody.values_list("line", flat=True))
    rows = map(cells_of, chain.from_iterable(lines.iterator(chunk_size=500) for lines in parts))
    name = f"usage-differences-{report.at:%Y-%m-%d}-{report.pk}.csv"
    return as_csv(rows, name=name, header=HEADER)


# The worker must find the row: it is stored before the message leaves.
@transaction.non_atomic_requests
@operators
def reconciliation_compare(request: HttpRequest) -> HttpResponse:
    try:
        asked = usage_comparing.compare_now(actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("reconciliations")
    messages.success(request, "Events, slices and Zuora are being compared. This page follows it.")
    return redirect("reconciliation", asked.pk)


@asking_operators
def reconciliation_mend(request: HttpRequest, report_id: int) -> HttpResponse:
    """Ask, and then have what somebody changed in Zuora set right there."""
    report = get_object_or_404(UsageReconciliation, pk=report_id)
    if request.method != "POST":
        return render(request, "integrations/mend.html", {"page": "usage", "report": report})
    try:
        operation = usage_comparing.mend(report=report, actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("reconciliation", report.pk)
    messages.success(request, "It is being set right. This page follows it.")
    return redirect("operation", operation.pk)
