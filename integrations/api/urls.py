"""The API's addresses, below /api/."""

from django.urls import URLPattern, path, re_path

from integrations.api import openapi
from integrations.api.door import unknown, view_of
from integrations.api.registry import by_path

_ROOT = "/api/"


def _route(written: str) -> str:
    return written.removeprefix(_ROOT).replace("{", "<str:").replace("}", ">")


urlpatterns: list[URLPattern] = [
    path("v1/openapi.json", openapi.document_view, name="openapi"),
    *(path(_route(written), view_of(operations)) for written, operations in by_path().items()),
    re_path("", unknown),
]
