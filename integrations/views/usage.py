"""Usage, record by record: what is in Zuora, what waits, what failed, and the failed ones again."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from integrations import usage_sync
from integrations.models import Connection, UsageRecord
from integrations.usage_filters import UsageFilter
from integrations.usage_problems import failed_records
from integrations.views.access import actor, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.exports import as_csv
from integrations.views.overview import active_connection
from integrations.views.paging import Page, edges_of, page_of
from integrations.views.usage_rows import (
    HEADER,
    KEY,
    exported,
    exported_slices,
    records_shown,
    rows_of_records,
    rows_of_slices,
    slices_shown,
)
from usage.overdue import overdue
from usage.unattributed import customers_told

PAGE_SIZE = 50
#: So many are tried again by one click; more are told, and left for the next.
AT_ONCE = 5000
#: More than so many are not counted one by one.
_COUNTED = 1000
_FIELDS = tuple(UsageFilter.base_fields)


@viewers
def usage_list(request: HttpRequest) -> HttpResponse:
    connection = active_connection()
    form = UsageFilter(request.GET)
    shown = connection or Connection.objects.shown()
    context: dict[str, Any] = {"page": "usage", "connection": connection, "shown": shown, "filter": form}
    if shown is not None:
        context |= _found(request, form, shown)
    return page_or_part(request, page="integrations/usage.html", part="integrations/usage_rows.html", context=context)


def _found(request: HttpRequest, form: UsageFilter, connection: Connection) -> dict[str, Any]:
    waiting = slices_shown(connection).filter(form.of_slices())
    edges = edges_of(request)
    page: Page[Any]
    if form.wants_waiting:
        page = page_of(waiting, key=KEY, **edges, size=PAGE_SIZE)
        rows = rows_of_slices(page.rows, connection)
    else:
        records = records_shown().filter(form.of_records(), connection=connection)
        page = page_of(records, key=KEY, **edges, size=PAGE_SIZE)
        rows = rows_of_records(page.rows)
    return {
        "rows": rows,
        "slice": page,
        "waiting": waiting.order_by().values("pk")[: _COUNTED + 1].count(),
        "counted": _COUNTED,
        "not_counted": overdue(now=timezone.now()).order_by()[: _COUNTED + 1].count(),
        "of_nobody": customers_told().order_by()[: _COUNTED + 1].count(),
        "failed": failed_records(connection).filter(form.of_records()).order_by()[: _COUNTED + 1].count(),
        "asked": _asked(form),
    }


def _asked(form: UsageFilter) -> dict[str, str]:
    """Return the filter as it is carried on: into the export, and into the form that tries again."""
    return {name: str(form.data[name]) for name in _FIELDS if form.data.get(name)}


@viewers
def usage_export(request: HttpRequest) -> HttpResponseBase:
    """Send all that the filter finds, not only the page that is shown."""
    rows = _exported(UsageFilter(request.GET), Connection.objects.shown())
    return as_csv(rows, name=f"usage-{timezone.now():%Y-%m-%d}.csv", header=HEADER)


def _exported(form: UsageFilter, connection: Connection | None) -> Iterable[Sequence[Any]]:
    if connection is None:
        return ()
    if form.wants_waiting:
        return exported_slices(slices_shown(connection).filter(form.of_slices()), connection)
    return exported(records_shown().filter(form.of_records(), connection=connection))


@operators
def usage_retry(request: HttpRequest) -> HttpResponse:
    """Try the chosen failed records again, or all failed ones that the filter finds."""
    connection = active_connection()
    form = UsageFilter(request.POST)
    back = redirect(f"{reverse('usage')}?{urlencode(_asked(form))}".rstrip("?"))
    if connection is None:
        messages.error(request, "There is no Zuora tenant to send usage to: connect one first.")
        return back
    failed = failed_records(connection)
    if form.errors:  # what it cannot read would narrow nothing, and everything would go
        messages.error(request, "The filter holds what cannot be read, so nothing was done: correct it first.")
        return back
    if request.POST.get("all"):
        chosen = _ids(failed.filter(form.of_records()).order_by("pk"))
        asked = len(chosen)
    else:
        picked = [key for key in request.POST.getlist("record") if key.isdecimal() and len(key) < 19]  # noqa: PLR2004
        chosen, asked = _ids(failed.filter(pk__in=picked)), len(picked)
    _say(request, asked=asked, count=_retry(request, chosen) if chosen else 0)
    left = failed.filter(form.of_records()).count() if request.POST.get("all") else 0
    if left:
        messages.info(request, f"{left:,} more are failed: {AT_ONCE:,} go at a time, press it again for the rest.")
    return back


def _ids(failed: QuerySet[UsageRecord]) -> list[int]:
    return list(failed.values_list("pk", flat=True)[:AT_ONCE])


def _retry(request: HttpRequest, chosen: list[int]) -> int:
    return usage_sync.retry(records=chosen, actor=actor(request), now=timezone.now())


def _say(request: HttpRequest, *, asked: int, count: int) -> None:
    if not asked:
        messages.info(request, "Nothing was chosen: tick the failed records to try again.")
    if count:
        soon = f"within {settings.USAGE_SWEEP_SECONDS:.0f} seconds"
        messages.success(
            request, f"{count:,} usage record{'' if count == 1 else 's'} will be sent again {soon}. This page shows it."
        )
    if gone := asked - count:
        messages.info(request, f"{gone:,} had been tried again, or settled, by somebody else meanwhile.")
