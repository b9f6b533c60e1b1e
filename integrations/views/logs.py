"""Settings > Audit log and Request log: who did what, and what was said to Zuora."""

import json
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from integrations.filters import AuditFilter, RequestFilter
from integrations.models import AuditEntry, Request
from integrations.views.access import viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.paging import edges_of, page_of

PAGE_SIZE = 50
_AT_ONCE = 1000


@viewers
def audit_log(request: HttpRequest) -> HttpResponse:
    """Every line, the newest first."""
    form = AuditFilter(request.GET)
    entries = form.narrow(AuditEntry.objects.all())
    context = {
        "page": "settings",
        "tab": "audit",
        "filter": form,
        "slice": page_of(entries, key=("-at", "-id"), **edges_of(request), size=PAGE_SIZE),
    }
    return page_or_part(
        request, page="integrations/audit_log.html", part="integrations/audit_rows.html", context=context
    )


@viewers
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """The same lines as CSV, all of them."""
    entries = AuditFilter(request.GET).narrow(AuditEntry.objects.all())
    header = ["number", "at", "who", "action", "subject", "detail"]
    return as_csv(_lines(entries), name="audit-log.csv", header=header)


def _lines(entries: QuerySet[AuditEntry]) -> Iterator[list[object]]:
    for entry in entries.iterator(chunk_size=_AT_ONCE):
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True) if entry.detail else ""
        yield [entry.pk, entry.at.isoformat(), entry.actor_name, entry.action, entry.subject, detail]


@viewers
def request_log(request: HttpRequest) -> HttpResponse:
    """Every exchange with Zuora, the newest first; bodies are on its own page."""
    form = RequestFilter(request.GET)
    found = form.narrow(Request.objects.select_related("delivery__job").defer("body", "answer"))
    context = {
        "page": "settings",
        "tab": "requests",
        "filter": form,
        "slice": page_of(found, key=("-started_at", "-id"), **edges_of(request), size=PAGE_SIZE),
    }
    return page_or_part(
        request, page="integrations/request_log.html", part="integrations/request_rows.html", context=context
    )


@viewers
def request_page(request: HttpRequest, request_id: int) -> HttpResponse:
    """One exchange, with what was sent and answered, and as curl."""
    kept = Request.objects.select_related("delivery__job", "connection").defer("connection__client_secret")
    exchange = get_object_or_404(kept, pk=request_id)
    context = {
        "page": "settings",
        "tab": "requests",
        "exchange": exchange,
        "rest_url": exchange.connection.rest_url if exchange.connection else "",
    }
    return render(request, "integrations/request_page.html", context)
