"""A cheap Stigg to import from, in a process of its own: `python -m tests.bench.stigg_cloud PORT CUSTOMERS`.

One plan, and so many customers with a subscription of 7 seats each; pages are computed from their cursor.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_AT = "2026-01-01T00:00:00.000Z"
_MADE = {"createdAt": _AT, "updatedAt": _AT, "metadata": {}}
_PACKAGE = {"productId": "main", "entitlements": [], "pricingType": "PAID", "status": "PUBLISHED", "versionNumber": 1}
_FEE = {"billingCadence": "RECURRING", "billingModel": "FLAT_FEE", "billingPeriod": "MONTHLY"}
_FEW: dict[str, list[dict[str, Any]]] = {
    "products": [{"id": "main", "displayName": "Main", "status": "PUBLISHED", "multipleSubscriptions": False}],
    "features": [
        {
            "id": "seats",
            "displayName": "Seats",
            "featureStatus": "ACTIVE",
            "featureType": "NUMBER",
            "meterType": "None",
            "featureUnits": "seat",
            "featureUnitsPlural": "seats",
        }
    ],
    "plans": [{"id": "pro", "displayName": "Pro", **_PACKAGE}],
    "charges": [
        {"id": "fee", "price": {"amount": 49, "currency": "eur"}, **_FEE},
        {
            "id": "seats",
            "price": {"amount": 8, "currency": "eur"},
            **_FEE,
            "billingModel": "PER_UNIT",
            "featureId": "seats",
        },
    ],
}


def _customer(number: int) -> dict[str, Any]:
    address = {"country": "DE", "city": "Berlin", "postalCode": "10115", "line1": f"Way {number}"}
    zuora = {"billingAddress": address, "paymentMethodId": f"{number:032x}", "currency": "eur"}
    return {
        "id": f"c{number}",
        "name": f"Customer {number}",
        "email": f"billing@c{number}.example",
        "billingCurrency": "eur",
        "passthrough": {"zuora": zuora},
        **_MADE,
    }


def _subscription(number: int) -> dict[str, Any]:
    return {
        "id": f"s{number}",
        "customerId": f"c{number}",
        "planId": "pro",
        "paymentCollection": "NOT_REQUIRED",
        "pricingType": "PAID",
        "startDate": "2026-03-01T00:00:00.000Z",
        "status": "ACTIVE",
        "billingPeriod": "MONTHLY",
        "charges": [{"id": "seats", "quantity": 7, "type": "FEATURE"}],
        "prices": [{"baseCharge": True, "amount": 49, "currency": "eur"}],
        **_MADE,
    }


_MANY = {"customers": _customer, "subscriptions": _subscription}


def page(kind: str, *, after: str, limit: int, customers: int) -> dict[str, Any]:
    """Return one page as Stigg writes it."""
    if make := _MANY.get(kind):
        start = int(after[1:]) + 1 if after else 0
        rows = [make(number) for number in range(start, min(start + limit, customers))]
        more = start + limit < customers
    else:
        rows, more = [_MADE | row for row in _FEW.get(kind, [])], False
    return {"data": rows, "pagination": {"next": rows[-1]["id"] if more else None, "prev": None}}


def main() -> None:
    port, customers = int(sys.argv[1]), int(sys.argv[2])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            kind, limit = parts.path.rsplit("/", 1)[-1], int(query.get("limit", ["20"])[0])
            answer = page(kind, after=query.get("after", [""])[0], limit=limit, customers=customers)
            raw = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
