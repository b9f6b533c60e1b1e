"""A refusal in the words of each family, by API minor version.

Source: https://developer.zuora.com/docs/guides/api-upgrades/ (2024-05-20: real HTTP codes; 2025-08-12: one shape
for Object Query) and https://developer.zuora.com/docs/guides/error-codes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import (
    REAL_CODES_SINCE,
    UNIFIED_QUERY_ERRORS_SINCE,
    Kind,
    Refusal,
    crud_errors,
    reasons,
)
from integrations.zuora.standin.wire import Answer, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from integrations.zuora.standin.switches import Switches

INVALID_CREDENTIAL = 90_000_011
UNRECOGNISED = {"message": "Error - unrecognised fields"}


def family_of(path: str) -> str:
    """Which family's words a path is answered in, known route or not."""
    for prefix, family in (
        ("/v1/object/", "crud"),
        ("/v1/action/", "action"),
        ("/object-query/", "query"),
        ("/events/", "events"),
        ("/notifications/", "events"),
        ("/settings/", "settings"),
    ):
        if path.startswith(prefix):
            return family
    return "v1"


def refused(
    refusal: Refusal, *, family: str, version: float, resource: int, switches: Switches, request_id: str
) -> Answer:
    """The answer that tells this refusal."""
    if refusal.kind is Kind.AUTHENTICATION:
        return _unauthenticated(family, request_id)
    if family in PLAIN:
        return PLAIN[family](refusal)
    found = reasons(refusal, resource=resource, duplicate_category=switches.duplicate_category)
    if family == "query" and version >= UNIFIED_QUERY_ERRORS_SINCE:
        return json_answer({"reasons": found, "requestId": request_id}, refusal.status)
    envelope = {
        "success": False,
        "processId": request_id.replace("-", "")[:16].upper(),
        "reasons": found,
        "requestId": request_id,
    }
    return json_answer(envelope, _v1_status(refusal, family, version, switches))


def _v1_status(refusal: Refusal, family: str, version: float, switches: Switches) -> int:
    """Errors were all 200 before 2024-05-20, but for the gateway's own 429."""
    old = version < REAL_CODES_SINCE and switches.status_by_version and family == "v1"
    return 200 if old and refusal.kind is not Kind.LIMIT else refusal.status


def _crud(refusal: Refusal) -> Answer:
    if refusal.kind is Kind.NOT_FOUND:
        return json_answer({"records": {}, "size": 0, "done": True}, 404)
    if _unrecognised(refusal):
        return json_answer(UNRECOGNISED, 400)
    return json_answer({"Success": False, "Errors": crud_errors(refusal)}, refusal.status)


def _action(refusal: Refusal) -> Answer:
    if _unrecognised(refusal):
        return json_answer(UNRECOGNISED, 400)
    fault = {"faultcode": f"fns:{refusal.kind.crud_code}", "faultstring": refusal.message}
    return json_answer(fault, refusal.status if refusal.kind is not Kind.NOT_FOUND else 400)


def _events(refusal: Refusal) -> Answer:
    shown = [{"code": one.kind.text_code, "message": one.message} for one in refusal.all]
    return json_answer({"reasons": shown}, refusal.status)


def _unrecognised(refusal: Refusal) -> bool:
    return any(one.kind is Kind.UNKNOWN_FIELD for one in refusal.all)


PLAIN: dict[str, Callable[[Refusal], Answer]] = {"crud": _crud, "action": _action, "events": _events}


def _unauthenticated(family: str, request_id: str) -> Answer:
    if family in ("crud", "action", "query", "settings"):
        return json_answer({"message": "Authentication error"}, 401)
    body: dict[str, Any] = {"success": False, "processId": request_id.replace("-", "")[:16].upper()}
    body["reasons"] = [{"code": INVALID_CREDENTIAL, "message": "This resource is protected, please sign in first"}]
    return json_answer(body, 401)


def edge_page(status: int, title: str) -> Answer:
    """What a proxy or firewall before Zuora says, which is not JSON."""
    title = f"{status} {title}"
    head = f"<!DOCTYPE html><html><head><title>{title}</title></head>"
    page = f"{head}<body><h1>{title}</h1><p>Reference #18.made.up</p></body></html>"
    return Answer(status=status, body=page.encode(), content_type="text/html")
