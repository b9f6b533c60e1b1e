"""Every request has a number: it stands in each line of the log, in the answer's headers and on our error pages."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from integrations.acting import acting

HEADER = "X-Request-ID"
#: Where a request keeps its number, for templates: `{{ request.META.REQUEST_ID }}`.
KEPT = "REQUEST_ID"
_FITS = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Gives each request a number, that of a proxy in front where it sent one, and says on whose behalf it acts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(HEADER, "")
        request_id = sent if _FITS.fullmatch(sent) else uuid.uuid4().hex
        request.META[KEPT] = request_id

        def name() -> str:
            user = getattr(request, "user", None)
            return user.get_username() if user is not None else ""

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            acting(name, request_id=request_id),
        ):
            response = self.get_response(request)
        response[HEADER] = request_id
        return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be read, also where nothing of the request can be trusted."""
    del exception  # it may hold what was sent
    return HttpResponse(_page("400.html", request), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a mistake of ours, with the number to look for in the log; needs no database."""
    return HttpResponse(_page("500.html", request), status=500)


def _page(template: str, request: HttpRequest) -> SafeString:
    return render_to_string(template, {"request_id": request.META.get(KEPT, "")})
