"""Where Stigg posts its events: stored first, answered at once, looked at by a task."""

import secrets
from http import HTTPStatus

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from integrations.models import StiggAccount, StiggEvent
from integrations.stigg.events import read_envelope
from integrations.tasks import ring_stigg_event

log = structlog.get_logger(__name__)
MAX_BODY_BYTES = 1024 * 1024


@csrf_exempt
@login_not_required
@require_POST
@transaction.non_atomic_requests
def stigg(request: HttpRequest, hook_path: str) -> HttpResponse:
    """Store an event of Stigg's, once, and answer; an address or a secret that is not right stores nothing."""
    account = StiggAccount.objects.active().filter(hook_path=hook_path).first()
    if account is None:
        return _refuse(HTTPStatus.NOT_FOUND, "There is nothing here.")
    given = request.headers.get("Stigg-Webhooks-Secret", "")
    if not account.hook_secret or not secrets.compare_digest(given.encode(), account.hook_secret.encode()):
        log.warning("stigg webhook refused", account=account.pk)
        return _refuse(HTTPStatus.UNAUTHORIZED, "Stigg-Webhooks-Secret is missing or wrong.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"An event has at most {MAX_BODY_BYTES:,} bytes.")
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        return _refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"An event has at most {MAX_BODY_BYTES:,} bytes.")
    try:
        text, envelope = body.decode().replace("\x00", ""), read_envelope(body)
    except ValueError as wrong:  # not JSON, or not UTF-8
        return _refuse(HTTPStatus.BAD_REQUEST, str(wrong))
    now = timezone.now()
    event, is_new = StiggEvent.objects.get_or_create(
        account=account,
        message_id=envelope.message_id,
        defaults={
            "type": envelope.type,
            "kind": envelope.kind,
            "ref_id": envelope.ref_id,
            "body": text,
            "received_at": now,
            "not_before": now,
        },
    )
    if is_new:
        ring_stigg_event(event.pk)
    return JsonResponse({"received": True, "new": is_new})


def _refuse(status: HTTPStatus, message: str) -> HttpResponse:
    return JsonResponse({"message": message}, status=status)
