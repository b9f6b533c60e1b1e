"""Settings > Audit log and Request log: who did what, and what was said to Zuora."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render

from integrations.filters import AuditFilter, RequestFilter
from integrations.models import AuditEntry, Request
from integrations.views.access import viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.looking_back import all_of, look_back
from integrations.views.paging import edges_of

PAGE_SIZE = 50
_OF_AUDIT: dict[str, Any] = {"key": ("-at", "-id"), "moment": "at"}
_OF_REQUESTS: dict[str, Any] = {"key": ("-started_at", "-id"), "moment": "started_at"}


@viewers
def audit_log(request: HttpRequest) -> HttpResponse:
    """Every line, the newest first."""
    form = AuditFilter(request.GET)
    context = {
        "page": "settings",
        "tab": "audit",
        "filter": form,
        "slice": look_back(
            AuditEntry.objects.all(), form.narrowing(), **_OF_AUDIT, **edges_of(request), size=PAGE_SIZE
        ),
    }
    return page_or_part(
        request, page="integrations/audit_log.html", part="integrations/audit_rows.html", context=context
    )


@viewers
def audit_export(request: HttpRequest) -> HttpResponseBase:
    """The same lines as CSV, all of them."""
    entries = all_of(AuditEntry.objects.all(), AuditFilter(request.GET).narrowing(), **_OF_AUDIT)
    header = ["number", "at", "who", "action", "subject", "detail"]
    return as_csv(_lines(entries), name="audit-log.csv", header=header)


def _lines(entries: Iterable[AuditEntry]) -> Iterator[list[object]]:
    for entry in entries:
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True) if entry.detail else ""
        yield [entry.pk, entry.at.isoformat(), entry.actor_name, entry.action, entry.subject, detail]


@viewers
def request_log(request: HttpRequest) -> HttpResponse:
    """Every exchange with Zuora, the newest first; bodies are on its own page."""
    form = RequestFilter(request.GET)
    kept = Request.objects.select_related("delivery__job").defer("body", "answer")
    context = {
        "page": "settings",
        "tab": "requests",
        "filter": form,
        "slice": look_back(kept, form.narrowing(), **_OF_REQUESTS, **edges_of(request), size=PAGE_SIZE),
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
