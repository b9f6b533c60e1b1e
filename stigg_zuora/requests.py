"""Every request has a number: it stands in each line of the log, in the answer's headers and on our error pages."""

import re
import sys
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString

from integrations.acting import acting
from integrations.sections import NoSuchEntity

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
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            response.content = _page("405.html", request)
            response["Content-Length"] = str(len(response.content))  # that of the empty answer stands there already
        response[HEADER] = request_id
        return response


class ReturningLoginMiddleware(LoginRequiredMiddleware):
    """Asks for a login, and leads back to a page: what was sent when the session had ended cannot be opened.

    Where none is needed nobody is looked up: the API answers in its own shape while the database is away, whatever
    cookies come along.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect:
        if request.method != "POST":
            return super().handle_no_permission(request, view_func)
        came_from = request.headers.get("Referer", "")
        is_ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
        messages.info(request, "Your session had ended, so nothing was sent: log in, and send it again.")
        return redirect_to_login(came_from if is_ours else "/", self.get_login_url(view_func))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer where there is nothing; only what we wrote for a person is said, not Django's own words."""
    said = str(exception) if isinstance(exception, NoSuchEntity) else ""
    return HttpResponse(_page("404.html", request, said=said), status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be read, also where nothing of the request can be trusted."""
    del exception  # it may hold what was sent
    return HttpResponse(_page("400.html", request), status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a mistake of ours, or without a database, with the number to look for in the log."""
    sent = "" if request.method in {"GET", "HEAD"} else "a form"
    away = "the database" if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)) else ""
    return HttpResponse(_page("500.html", request, sent=sent, away=away), status=503 if away else 500)


def _page(template: str, request: HttpRequest, **context: str) -> SafeString:
    return render_to_string(template, {"request_id": request.META.get(KEPT, ""), **context})
