"""The one door of the API: who asks, what with, and an answer in Stigg's shape whatever happens.

Keys are the only way in: no session, and so no CSRF. Behind it nobody holds a transaction but the view itself.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from http import HTTPStatus
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import IntegrityError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from integrations.api.errors import ApiError, bad_input, not_found, refusal
from integrations.models import ApiAnswer, ApiKey, Scope
from usage.checking import MAX_TEXT, is_storable
from usage.reporting import Refused

log = structlog.get_logger(__name__)

#: A thousand events with four thousand characters each; Stigg allows more per event, but a batch is held in memory.
MAX_BODY_BYTES = 4 * 1024 * 1024

#: What a view gives back: a status and a body.
Answer = tuple[HTTPStatus, dict[str, Any]]
Action = Callable[..., Answer]
View = Callable[..., HttpResponse]


def door(*, method: str, scope: Scope, holds_transaction: bool = True) -> Callable[[Action], View]:
    """Make a Django view of `action(request, now, key, ...) -> (status, body)`; it may raise ApiError and Refused.

    A key of the scope FULL opens every door, a narrower one only those of its own scope. The answer to a POST with an
    `Idempotency-Key` is kept in one transaction with what it did; an action that asks Zuora must not hold one, and
    does by itself nothing twice.
    """

    def build(action: Action) -> View:
        @csrf_exempt
        @login_not_required
        @transaction.non_atomic_requests
        @wraps(action)
        def view(request: HttpRequest, **captured: str) -> HttpResponse:
            trace_id = uuid.uuid4().hex
            with structlog.contextvars.bound_contextvars(trace_id=trace_id):
                try:
                    key = _enter(request, method=method, scope=scope)
                    status, text = _answer(request, action, key, captured, keeps=holds_transaction)
                except ApiError as error:
                    return _refuse(error, trace_id)
                except (OperationalError, IntegrityError) as error:
                    # The database is away, or what we have looked up was deleted meanwhile: nothing is stored.
                    log.warning("api request not stored", error=str(error))
                    return _refuse(_UNAVAILABLE, trace_id)
                except Exception:  # the caller needs an answer that its SDK can read; the log has the rest
                    log.exception("api request failed")
                    return _refuse(_BROKEN, trace_id)
            return _response(status, text, trace_id)

        return view

    return build


@csrf_exempt
@login_not_required
@transaction.non_atomic_requests
def unknown(request: HttpRequest) -> HttpResponse:
    """Answer a request for an operation that is not built."""
    return _refuse(not_found("NotFound", f"There is no {request.method} {request.path} here."), uuid.uuid4().hex)


_UNAVAILABLE = ApiError(
    HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", "Nothing was stored: send the request again in a moment."
)
_BROKEN = ApiError(
    HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError", "This is our mistake: tell us the trace id."
)


def _enter(request: HttpRequest, *, method: str, scope: Scope) -> ApiKey:
    if request.method != method:
        raise ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", f"Use {method} here.", headers={"Allow": method}
        )
    return _key(request, scope=scope, now=timezone.now())


def _answer(
    request: HttpRequest, action: Action, key: ApiKey, captured: dict[str, Any], *, keeps: bool
) -> tuple[HTTPStatus, str]:
    now = timezone.now()
    try:
        if request.method != "POST":
            return _run(action, request, now, key, captured)
        idempotency_key = _idempotency_key(request)
        body = _body(request)
        captured |= {"body": body}
        if not (keeps and idempotency_key):
            return _run(action, request, now, key, captured)
        with transaction.atomic():
            kept, is_new = _kept(request, key, idempotency_key, body, now)
            if not is_new:
                return HTTPStatus(kept.status), kept.body
            kept.status, kept.body = _run(action, request, now, key, captured)
            kept.save(update_fields=["status", "body"])
            return HTTPStatus(kept.status), kept.body
    except Refused as refused:
        raise refusal(refused.problems) from refused


def _run(
    action: Action, request: HttpRequest, now: datetime, key: ApiKey, captured: dict[str, Any]
) -> tuple[HTTPStatus, str]:
    status, body = action(request, now=now, key=key, **captured)
    return status, json.dumps(body)


def _key(request: HttpRequest, *, scope: Scope, now: datetime) -> ApiKey:
    token = request.headers.get("X-API-KEY", "")
    key = ApiKey.objects.with_token(token) if token.isascii() and token.isprintable() else None
    if not token or key is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "Unauthenticated",
            "Send an API key in X-API-KEY: this one is not known, or revoked." if token else "X-API-KEY is missing.",
        )
    if key.scope not in {Scope.FULL, scope}:
        allowed = Scope(key.scope).label
        raise ApiError(HTTPStatus.FORBIDDEN, "AccessDeniedError", f"This API key may do less than that: {allowed}.")
    key.mark_used(now=now)
    return key


def _body(request: HttpRequest) -> bytes:
    if "Transfer-Encoding" in request.headers:  # WSGI has no word for a body whose length nobody knows
        raise ApiError(HTTPStatus.LENGTH_REQUIRED, "LengthRequired", "Send Content-Length, and not in chunks.")
    if request.META.get("CONTENT_LENGTH") not in {None, "", "0"} and request.content_type != "application/json":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "Send JSON, with Content-Type: application/json."
        )
    body = request.read(MAX_BODY_BYTES + 1)
    if len(body) > MAX_BODY_BYTES:
        sentence = f"The body is larger than {MAX_BODY_BYTES:,} bytes: send smaller batches."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PayloadTooLarge", sentence)
    return body


def _idempotency_key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > MAX_TEXT or not is_storable(key):
        raise bad_input(f"Idempotency-Key is a text of up to {MAX_TEXT} characters.")
    return key


def _kept(
    request: HttpRequest, key: ApiKey, idempotency_key: str, body: bytes, now: datetime
) -> tuple[ApiAnswer, bool]:
    """Return the answer that is kept under this key, or a new one to be filled, locked until the caller commits.

    Of two requests with one key at the same time the second waits for the first. Refusals roll back and are not kept:
    what was wrong may be right by the next time.
    """
    parts = (request.method, request.get_full_path(), body)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    new = {"request_digest": digest, "status": HTTPStatus.ACCEPTED, "body": "", "created_at": now}
    own = ApiAnswer.objects.filter(api_key=key, idempotency_key=idempotency_key)
    own.filter(created_at__lte=now - ApiAnswer.KEPT).delete()
    kept, is_new = ApiAnswer.objects.get_or_create(api_key=key, idempotency_key=idempotency_key, defaults=new)
    if kept.request_digest != digest:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "IdempotencyKeyReused",
            "This Idempotency-Key was used for another request within the last day: give each request its own.",
        )
    return kept, is_new


def _refuse(error: ApiError, trace_id: str) -> HttpResponse:
    response = _response(error.status, json.dumps(error.body(trace_id=trace_id)), trace_id)
    for name, value in error.headers.items():
        response[name] = value
    return response


def _response(status: HTTPStatus, text: str, trace_id: str) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="application/json")
    response["X-Trace-Id"] = trace_id
    response["Cache-Control"] = "no-store"
    return response
