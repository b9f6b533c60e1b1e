"""The one door of the API: who asks, what with, and an answer in Stigg's shape whatever happens.

Keys are the only way in: no session, and so no CSRF. What an operation writes is one transaction, also with the answer
that is kept for its `Idempotency-Key`.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime
from http import HTTPStatus
from typing import Any

import pydantic
import simplejson
import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from integrations.acting import acting
from integrations.api import limits, shapes
from integrations.api.errors import ApiError, bad_input, invalid, not_built, not_found, refusal, unreadable
from integrations.api.operation import Call, Operation
from integrations.models import ApiAnswer, ApiKey, Scope
from usage.checking import MAX_TEXT, is_storable
from usage.reporting import Refused

log = structlog.get_logger(__name__)

#: A thousand events with four thousand characters each; Stigg allows more per event, but a batch is held in memory.
MAX_BODY_BYTES = 4 * 1024 * 1024

View = Callable[..., HttpResponse]


def view_of(operations: Mapping[str, Operation]) -> View:
    """Make the Django view of one path, of its operations by their methods."""

    @csrf_exempt
    @login_not_required
    @transaction.non_atomic_requests
    def view(request: HttpRequest, **captured: str) -> HttpResponse:
        trace_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(trace_id=trace_id):
            headers: dict[str, str] = {}
            try:
                status, text = _serve(request, operations, captured, headers)
            except ApiError as error:
                return _refuse(error, trace_id, headers)
            except (OperationalError, IntegrityError) as error:
                # The database is away, or what we have looked up was deleted meanwhile: nothing is stored.
                log.warning("api request not stored", error=str(error))
                return _refuse(_UNAVAILABLE, trace_id, headers)
            except Exception:  # the caller needs an answer that its SDK can read; the log has the rest
                log.exception("api request failed")
                return _refuse(_BROKEN, trace_id, headers)
            return _response(status, text, trace_id, headers)

    return view


@csrf_exempt
@login_not_required
@transaction.non_atomic_requests
def unknown(request: HttpRequest) -> HttpResponse:
    """Answer a request for an operation that nobody knows."""
    error = not_found("NotFound", f"There is no {request.method} {request.path} here.")
    return _refuse(error, uuid.uuid4().hex, {})


_UNAVAILABLE = ApiError(
    HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable", "Nothing was stored: send the request again in a moment."
)
_BROKEN = ApiError(
    HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerError", "This is our mistake: tell us the trace id."
)


def _serve(
    request: HttpRequest, operations: Mapping[str, Operation], captured: dict[str, str], headers: dict[str, str]
) -> tuple[HTTPStatus, str]:
    """Answer, and fill in the headers that are sent whatever the answer is."""
    operation = operations.get(request.method or "")
    if operation is None:
        allowed = ", ".join(sorted(operations))
        raise ApiError(
            HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", f"Use {allowed} here.", headers={"Allow": allowed}
        )
    now = timezone.now()
    key = _key(request, operation=operation, now=now)
    headers |= limits.spend(key=key, rate=operation.rate, now=now)
    if operation.not_built:
        raise not_built(operation.not_built)
    try:
        with acting(lambda: f"API key {key.name}"):
            return _answer(request, operation, Call(key=key, now=now), captured)
    except Refused as refused:
        raise refusal(refused.problems) from refused
    except pydantic.ValidationError as error:
        raise unreadable(error.errors(include_url=False, include_context=False, include_input=False)) from error
    except ValidationError as error:
        raise invalid(error) from error


def _answer(
    request: HttpRequest, operation: Operation, call: Call, captured: Mapping[str, str]
) -> tuple[HTTPStatus, str]:
    if not operation.writes:
        return operation.status, _run(operation, call, request, captured, b"")
    idempotency_key = _idempotency_key(request) if request.method == "POST" else ""
    body = _body(request)
    if not (operation.holds_transaction and idempotency_key):
        # A batch that is read from bytes is a transaction by itself, and two round trips cheaper for it.
        is_whole = operation.raw or not operation.holds_transaction
        with nullcontext() if is_whole else transaction.atomic():
            return operation.status, _run(operation, call, request, captured, body)
    with transaction.atomic():
        kept, is_new = _kept(request, call.key, idempotency_key, body, call.now)
        if is_new:
            kept.status, kept.body = operation.status, _run(operation, call, request, captured, body)
            kept.save(update_fields=["status", "body"])
        return HTTPStatus(kept.status), kept.body


def _run(operation: Operation, call: Call, request: HttpRequest, captured: Mapping[str, str], body: bytes) -> str:
    asked: dict[str, Any] = dict(captured)
    if operation.raw:
        asked["body"] = body
    elif operation.body is not None:
        asked["body"] = operation.body.model_validate(shapes.load(body))
    elif body and shapes.load(body):
        raise bad_input("Nothing in the body means anything here: send none.")
    if operation.query is not None:
        asked["query"] = operation.query.model_validate(_query(request))
    if operation.action is None:
        msg = f"{operation.path} is neither built nor said not to be"
        raise TypeError(msg)
    return _write(operation.action(call, **asked))


def _write(answer: Any) -> str:
    """Write JSON with every digit of a decimal: it must not pass through a float."""
    plain = answer.model_dump(by_alias=True) if isinstance(answer, pydantic.BaseModel) else answer
    return simplejson.dumps(plain, use_decimal=True, default=shapes.time)


def _query(request: HttpRequest) -> dict[str, str]:
    for name, values in request.GET.lists():
        if len(values) > 1:
            raise bad_input(f"{name[:40]} is given {len(values)} times: write its values with commas between them.")
    asked = {name: str(value) for name, value in request.GET.items()}
    if not all(is_storable(text) for text in asked.values()):
        raise bad_input("The address holds characters that no database does.")
    return asked


def _key(request: HttpRequest, *, operation: Operation, now: datetime) -> ApiKey:
    token = request.headers.get("X-API-KEY", "")
    key = ApiKey.objects.with_token(token) if token.isascii() and token.isprintable() else None
    if not token or key is None:
        raise ApiError(
            HTTPStatus.UNAUTHORIZED,
            "Unauthenticated",
            "Send an API key in X-API-KEY: this one is not known, or revoked." if token else "X-API-KEY is missing.",
        )
    if key.scope not in operation.scopes:
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
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "Send the body as it is, not compressed."
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


def _refuse(error: ApiError, trace_id: str, headers: Mapping[str, str]) -> HttpResponse:
    text = simplejson.dumps(error.body(trace_id=trace_id))
    return _response(error.status, text, trace_id, {**headers, **error.headers})


def _response(status: HTTPStatus, text: str, trace_id: str, headers: Mapping[str, str]) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="application/json", headers=dict(headers))
    response["X-Trace-Id"] = trace_id
    response["Cache-Control"] = "no-store"
    return response
