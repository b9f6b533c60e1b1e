"""The comparisons of events, slices and Zuora that were kept, and one made now."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from integrations import operating, usage_comparing
from integrations.models import UsageReconciliation
from integrations.views.access import actor, asking_operators, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.overview import active_connection
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
#: What a line of a report holds, as `manage.py reconcile_usage --csv` writes it.
HEADER = ("subscription", "charge", "number", "start", "end", "events", "carried", "slices", "moved", "zuora")


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
    }
    return page_or_part(
        request, page="integrations/reconciliation.html", part="integrations/reconciliation_live.html", context=context
    )


@viewers
def reconciliation_export(_request: HttpRequest, report_id: int) -> HttpResponseBase:
    """Send all differences of a comparison."""
    report = get_object_or_404(UsageReconciliation, pk=report_id)
    lines = report.differences.values_list("line", flat=True).iterator(chunk_size=500)
    rows = ([*(line[name] for name in HEADER), "; ".join(line["differences"])] for line in lines)
    name = f"usage-differences-{report.at:%Y-%m-%d}-{report.pk}.csv"
    return as_csv(rows, name=name, header=(*HEADER, "differences"))


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
