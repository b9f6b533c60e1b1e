"""What may go wrong on the way to Zuora, where, and the zones in which a tenant may be; what is twice is likelier."""

from typing import Any

ZONES = ("UTC", "UTC", "Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "Pacific/Auckland")
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("drop", {}),
    ("reset", {}),
    ("html", {"status": 503}),
    ("html", {"status": 200}),
    ("empty", {}),
    ("timeout", {"seconds": 120}),
    ("delay", {"seconds": 200, "after": True}),
    ("unsuccessful", {}),
    ("status", {"status": 500}),
    ("lock", {}),
    ("limit", {"seconds": 1}),
    ("revoked", {}),
)
PLACES = (
    ("POST", "/v1/action/create$"),
    ("POST", "/v1/action/create$"),
    ("POST", "/v1/action/update$"),
    ("POST", "/v1/action/query$"),
    ("POST", "/v1/orders$"),
    ("POST", "/v1/"),
    ("GET", "/"),
)
FILE_PLACES = (("POST", "/v1/usage$"), ("GET", "/v1/usage/"))
