"""What Zuora has of a subscription at this moment, when an operator asks."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from integrations.looking import look
from integrations.models import EntityKind, SyncRecord
from integrations.sections import SECTION_OF_KIND
from integrations.views.access import actor, operators
from integrations.views.answers import page_or_part
from integrations.views.overview import active_connection
from integrations.zuora.tenant import client_for

_SECTION = SECTION_OF_KIND[EntityKind.SUBSCRIPTION.value]


# It waits for Zuora: no transaction may be held meanwhile.
@transaction.non_atomic_requests
@operators
def look_in_zuora(request: HttpRequest, ref_id: str) -> HttpResponse:
    """Answer with the subscription's version, rate plans and orders; htmx puts them into its page."""
    subscription = _SECTION.get(ref_id)
    connection = active_connection()
    record = SyncRecord.objects.filter(
        connection=connection, kind=_SECTION.kind, root_id=subscription.pk
    ).exclude(zuora_id="").select_related("connection").first()  # fmt: skip
    if record is None:
        messages.info(request, "It is not in Zuora: there is nothing to look at.")
        return redirect(_SECTION.url(ref_id))
    seen = look(record=record, actor=actor(request), now=timezone.now(), open_client=client_for)
    context = {"page": _SECTION.slug, "section": _SECTION, "entity": subscription, "record": record, "seen": seen}
    return page_or_part(
        request, page="integrations/look.html", part="integrations/look_seen.html", context=context
    )  # fmt: skip
