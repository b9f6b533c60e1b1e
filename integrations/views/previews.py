"""What would be sent: for an entity, and for a list as it is filtered."""

from itertools import islice

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from integrations import applying, operating
from integrations.bulk import previews
from integrations.models import Operation
from integrations.previewing import SENDS
from integrations.sections import Section
from integrations.views.access import actor, operators, viewers
from integrations.views.listing import FILTERS, Listing
from integrations.views.overview import active_connection
from integrations.zuora.tenant import client_for


@viewers
def entity_preview(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    """Read Zuora and show the difference."""
    entity = section.get(ref_id)
    context = {"page": section.slug, "section": section, "entity": entity}
    try:
        seen = applying.preview_entity(
            kind=section.kind, entity_id=entity.pk, now=timezone.now(), open_client=client_for
        )
    except operating.Impossible as answer:
        context["problem"] = str(answer)
    else:
        context |= {"seen": seen.as_json(), "sends": seen.outcome in SENDS}
    response = render(request, "integrations/preview.html", context)
    response["Cache-Control"] = "no-store"
    return response


# It waits for Zuora: no transaction may be held meanwhile.
@transaction.non_atomic_requests
@operators
def entity_apply(request: HttpRequest, section: Section, ref_id: str) -> HttpResponse:
    """Push what the preview showed, or say what has moved since."""
    entity = section.get(ref_id)
    try:
        applying.apply_preview(
            kind=section.kind,
            entity_id=entity.pk,
            digest=request.POST.get("digest", ""),
            actor=actor(request),
            now=timezone.now(),
            open_client=client_for,
        )
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("entity_preview", section, ref_id)
    messages.success(request, f"{entity} is on its way, as the preview showed. This page follows it.")
    return redirect(section.url(ref_id))


@operators
def list_preview(request: HttpRequest, section: Section) -> HttpResponse:
    """Begin to preview what a list shows with its search and filter."""
    listing = Listing.asked_for(section, active_connection(), request.POST)
    ids = [row.entity.pk for row in islice(listing.rows(), previews.MOST + 1)]
    words = [f"“{listing.text}”" if listing.text else "", FILTERS.get(listing.status, "").lower()]
    narrowed = ", ".join(word for word in words if word)
    what = f"{len(ids):,} {section.plural}" + (f" ({narrowed})" if narrowed else "")
    try:
        operation = applying.preview_many(
            kind=section.kind, entity_ids=ids, what=what, actor=actor(request), now=timezone.now()
        )
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("entities", section)
    messages.success(request, "Nothing is sent. This page shows what would be, as it is found out.")
    return redirect("operation", operation.pk)


@operators
def operation_apply(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Push all that the preview of a list showed."""
    operation = get_object_or_404(Operation, pk=operation_id)
    try:
        begun = applying.apply_many(operation=operation, actor=actor(request), now=timezone.now())
    except operating.Impossible as answer:
        messages.error(request, str(answer))
        return redirect("operation", operation.pk)
    messages.success(request, "It is being applied: what has moved since the preview is left out, and named here.")
    return redirect("operation", begun.pk)
