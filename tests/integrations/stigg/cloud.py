"""Stigg's cloud as the SDK meets it: a server on the loopback that pages through rows which a test gives it."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

API_KEY = "server-made-up-for-tests"
_KINDS = ("products", "features", "coupons", "addons", "plans", "customers", "subscriptions")
_AT = "2026-01-01T00:00:00.000Z"


class Cloud:
    """The rows by kind, the charges by plan or add-on, and the requests that came."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
        self.charges: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.fails: list[int] = []  # statuses of the next answers
        self.url = ""

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Return status and body of a GET."""
        parts = path.removeprefix("/api/v1/").split("/")
        if len(parts) == 3 and parts[2] == "charges":
            version = query.get("versionNumber", [""])[0]
            return 200, _page(self.charges.get(f"{parts[1]} {version}".rstrip(), []), query)
        if parts[0] not in self.rows or len(parts) > 2:
            return 404, {"message": "not found", "code": "NotFound"}
        rows = self.rows[parts[0]]
        if len(parts) == 2:
            found = next((row for row in rows if row["id"] == parts[1]), None)
            return (200, {"data": found}) if found else (404, {"message": "not found", "code": "NotFound"})
        if "id" in query:
            rows = [row for row in rows if row["id"] in query["id"]]
        return 200, _page(rows, query)

    def add(self, kind: str, ref_id: str, **fields: Any) -> dict[str, Any]:
        """Add a row that has all that Stigg always sends, and these fields."""
        row = {"id": ref_id, "createdAt": _AT, "updatedAt": _AT, "metadata": {}, **_ALWAYS[kind](ref_id), **fields}
        self.rows[kind].append(row)
        return row

    def charge(self, package: str, amount: float, *, currency: str = "eur", **fields: Any) -> None:
        """Add a flat fee a month, unless the fields say otherwise."""
        self.charges.setdefault(package, []).append(
            {
                "id": f"{package}-{len(self.charges.get(package, []))}",
                "createdAt": _AT,
                "billingCadence": "RECURRING",
                "billingModel": "FLAT_FEE",
                "billingPeriod": "MONTHLY",
                "price": {"amount": amount, "currency": currency},
                **fields,
            }
        )


_ALWAYS: dict[str, Any] = {
    "products": lambda name: {"displayName": name.title(), "status": "PUBLISHED", "multipleSubscriptions": False},
    "features": lambda name: {
        "displayName": name.title(),
        "featureStatus": "ACTIVE",
        "featureType": "NUMBER",
        "meterType": "None",
    },
    "coupons": lambda name: {"name": name.title(), "status": "ACTIVE", "type": "PERCENTAGE", "percentOff": 10},
    **{
        kind: lambda name: {
            "displayName": name.title(),
            "productId": "main",
            "entitlements": [],
            "pricingType": "PAID",
            "status": "PUBLISHED",
            "versionNumber": 1,
        }
        for kind in ("plans", "addons")
    },
    "customers": lambda name: {"name": name.title()},
    "subscriptions": lambda _: {
        "customerId": "acme",
        "planId": "pro",
        "paymentCollection": "NOT_REQUIRED",
        "pricingType": "PAID",
        "startDate": "2026-03-01T00:00:00.000Z",
        "status": "ACTIVE",
        "currentBillingPeriodStart": "2026-03-01T00:00:00.000Z",
        "currentBillingPeriodEnd": "2026-04-01T00:00:00.000Z",
    },
}


def _page(rows: list[dict[str, Any]], query: dict[str, list[str]]) -> dict[str, Any]:
    after, limit = query.get("after", [""])[0], int(query.get("limit", ["20"])[0])
    start = next((number + 1 for number, row in enumerate(rows) if row["id"] == after), 0)
    shown = rows[start : start + limit]
    more = start + limit < len(rows)
    return {"data": shown, "pagination": {"next": shown[-1]["id"] if more else None, "prev": None}}


@contextmanager
def serving(cloud: Cloud) -> Iterator[Cloud]:
    """Serve the cloud on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            cloud.requests.append(re.sub(r"[?].*", "", self.path))
            if self.headers.get("X-API-KEY") != API_KEY:
                status, body = 401, {"message": "Unauthenticated", "code": "Unauthenticated"}
            elif cloud.fails:
                status, body = cloud.fails.pop(0), {"message": "no", "code": "no"}
            else:
                status, body = cloud.answer(parts.path, parse_qs(parts.query))
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
