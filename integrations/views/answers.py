"""A page as a whole, or the part of it that refreshes by itself."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

_BANNER = "integrations/tags/connection_banner.html"


def page_or_part(request: HttpRequest, *, page: str, part: str, context: Mapping[str, Any]) -> HttpResponse:
    """Answer htmx with the part and everybody else with the page; going back in the history needs the page."""
    headers = request.headers
    wants_part = headers.get("HX-Request") == "true" and headers.get("HX-History-Restore-Request") != "true"
    response = render(request, part if wants_part else page, dict(context))
    if wants_part and "connection" in context:
        # Above the part it says how the tenant is: the two must not contradict each other.
        response.write(render_to_string(_BANNER, {"connection": context["connection"], "part": True}, request))
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    response["Cache-Control"] = "no-store"
    return response
