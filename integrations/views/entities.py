"""Lists and pages of what is synced, and what a person may do with one of them."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode

from integrations import operating
from integrations.bulk import previews
from integrations.models import Connection, SyncJob, SyncRecord
from integrations.sections import Section
from integrations.views.access import actor, asking_operators, operators, viewers
from integrations.views.answers import page_or_part
from integrations.views.contents import contents_of
from integrations.views.exports import as_csv
from integrations.views.list_exports import cells, columns_of
from integrations.views.listing import FILTERS, NONE, SORTS, Column, Listing, TooMany
from integrations.views.overview import active_connection
from integrations.views.timeline import timeline_of

PAGE_SIZE = 50


def _records(connection: Connection | None, *, kind: str, ids: Iterable[int]) -> list[SyncRecord]:
    """Return the records of these entities and all that rides along; they share the connection that is at hand."""
    if connection is None:
        return []
    records = list(SyncRecord.objects.filter(connection=connection, root_kind=kind, root_id__in=ids))
    for record in records:
        record.connection = connection
    return records


@viewers
def entity_list(request: HttpRequest, section: Section) -> HttpResponse:
    listing = Listing.asked_for(section, active_connection(), request.GET)
    try:
        after, before = request.GET.get("after", ""), request.GET.get("before", "")
        rows, page = listing.page(after=after, before=before, size=PAGE_SIZE)
    except TooMany:
        sort = listing.sort.replace(listing.column, "id")
        by_id = {"q": listing.text, "status": listing.status, "sort": sort, "many": "1"}
        return redirect(f"{request.path}?{urlencode(by_id)}")
    context = {
        "section": section,
        "page": section.slug,
        "listing": listing,
        "connection": listing.connection,
        "rows": rows,
        "slice": page,
        "columns": [Column.of(listing, name) for name in SORTS if section.name_field or name != "name"],
        "filters": FILTERS.items(),
        "preview_most": previews.MOST,
        "are_many": "many" in request.GET,
    }
    return page_or_part(
        request, page="integrations/entity_list.html", part="integrations/entity_rows.html", context=context
    )


@viewers
def entity_export(request: HttpRequest, section: Section) -> HttpResponseBase:
    """Answer with the whole list as it is filtered and sorted."""
    listing = Listing.asked_for(section, active_connection(), request.GET)
    without = FILTERS[NONE] if listing.connection else "Not connected"
    return as_csv(
        map(partial(cells, without=without), listing.rows()), name=f"{section.slug}.csv", header=columns_of(section)
    )


def _roots(connection: Connection | None, *, section: Section, ids: list[int]) -> dict[int, SyncRecord]:
    if connection is None:
        return {}
    records = SyncRecord.objects.filter(
        connection=connection, kind=section.kind, root_kind=section.kind, root_id__in=ids
    )
    found = {record.root_id: record for record in records}
    for record in found.values():
        record.connection = connection
    return found


@viewers
def entity_page(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    entity = section.get(ref_id)
    connection = active_connection()
    records = _records(connection, kind=section.kind, ids=[entity.pk])
    jobs = SyncJob.objects.of(kind=section.kind, entity_id=entity.pk).filter(connection=connection)
    context = {
        "section": section,
        "page": section.slug,
        "entity": entity,
        "connection": connection,
        "record": next((record for record in records if record.kind == record.root_kind), None),
        "job": jobs.first(),
        "open_job": jobs.open().first(),
        "timeline": timeline_of(kind=section.kind, entity_id=entity.pk, before=request.GET.get("before", "")),
        "before": request.GET.get("before", ""),
        "edit_url": _edit_url(request, section, entity),
        **contents_of(entity, records),
    }
    return page_or_part(
        request, page="integrations/entity_page.html", part="integrations/entity_live.html", context=context
    )


@operators
def entity_sync(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    entity = section.get(ref_id)
    try:
        count = operating.sync_now(kind=section.kind, entity_ids=[entity.pk], actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.error(request, str(answer))
    else:
        if count:
            messages.success(request, f"{entity} is on its way. This page follows it.")
        else:
            messages.info(request, f"{entity} is a draft: it is pushed once it is published.")
    return redirect(section.url(ref_id))


@operators
def entity_keep(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    """Decide about "linked, sync stopped": it stays."""
    try:
        operating.keep(record=_record(section, ref_id), actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.info(request, str(answer))
    else:
        messages.success(request, "It stays in Zuora as it is.")
    return redirect(section.url(ref_id))


@asking_operators
def entity_cancel_there(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    """Decide about "linked, sync stopped": ask, and then let it end in Zuora, too."""
    if request.method != "POST":
        context = {"section": section, "page": section.slug, "entity": section.get(ref_id)}
        return render(request, "integrations/cancel_there.html", context)
    try:
        operating.cancel_there(record=_record(section, ref_id), actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.info(request, str(answer))
    else:
        messages.success(request, "It is being cancelled in Zuora. This page follows it.")
    return redirect(section.url(ref_id))


def _record(section: Section, ref_id: str) -> SyncRecord:
    entity = section.get(ref_id)
    record = _roots(active_connection(), section=section, ids=[entity.pk]).get(entity.pk)
    if record is None:
        raise operating.Impossible("It is not in Zuora: there is nothing to decide.")
    return record


def _edit_url(request: HttpRequest, section: Section, entity: Any) -> str:
    options = section.model._meta  # noqa: SLF001 - Django's public name for it
    may = request.user.is_staff and request.user.has_perm(f"{options.app_label}.change_{options.model_name}")
    return section.edit_url(entity.pk) if may else ""
