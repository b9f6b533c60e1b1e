"""`requests` without a network: the stand-in called in process, with its lost answers as the errors a network gives."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from integrations.zuora.standin.app import Cut, StandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TIMEOUT = 120.0


class WSGIAdapter(BaseAdapter):
    """Mount it on a session: `session.mount("https://", WSGIAdapter(app))`.

    A dropped or reset connection becomes `requests.ConnectionError`. A delay does not wait: one longer than the
    request's timeout becomes `requests.ReadTimeout` after the work is done, as it would be at the far side.
    """

    def __init__(self, app: StandIn) -> None:
        super().__init__()
        self.app = app

    def send(  # noqa: PLR0917
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT002 - the signature is requests' own
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,  # noqa: FBT002
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        del stream, verify, cert, proxies
        slept: list[float] = []
        environ = _environ(request)
        environ["standin.sleep"] = slept.append
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            started.update(status=int(status.split(maxsplit=1)[0]), reason=status.partition(" ")[2], headers=headers)

        try:
            body = b"".join(self.app(environ, start_response))
        except Cut as cut:
            raise requests.ConnectionError(f"The connection was {cut}.", request=request) from cut
        limit = _read_timeout(timeout)
        if sum(slept) > limit:
            raise requests.ReadTimeout(f"Read timed out. (read timeout={limit})", request=request)
        return _response(request, started, body)

    def close(self) -> None:
        """Nothing is open."""


def _read_timeout(timeout: float | tuple[float, float] | tuple[float, None] | None) -> float:
    value = timeout[1] if isinstance(timeout, tuple) else timeout
    return DEFAULT_TIMEOUT if value is None else value


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    body: str | bytes = request.body or b""
    content = body.encode() if isinstance(body, str) else body
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "RAW_URI": url.path or "/",
        "PATH_INFO": url.path or "/",
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or 443),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def _response(request: requests.PreparedRequest, started: dict[str, Any], body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code = started["status"]
    response.reason = started["reason"]
    response.headers = CaseInsensitiveDict(started["headers"])
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.raw = HTTPResponse(
        body=io.BytesIO(body), headers=started["headers"], status=started["status"], preload_content=False
    )
    response.url = request.url or ""
    response.request = request
    return response
