"""The history of callouts, and sending one again.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_CalloutHistory/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import invalid
from integrations.zuora.standin.paging import page_of

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

OK = 200


def history(tenant: Tenant, request: Request) -> Any:
    """Newest first; only the failed ones unless `failedOnly=false`."""
    failed_only = request.parameter("failedOnly", "true").lower() != "false"
    category = request.parameter("eventCategory")
    first, last = request.parameter("startTime"), request.parameter("endTime")
    rows = [
        row
        for row in tenant.store.all("Callout")
        if (not failed_only or row["ResponseCode"] != OK)
        and (not category or row["EventCategory"] == category)
        and (not first or row["CreatedDate"][:19] >= first[:19])
        and (not last or row["CreatedDate"][:19] <= last[:19])
    ]
    rows.reverse()
    shown, following = page_of(rows, request)
    answer: dict[str, Any] = {"calloutHistories": [_view(row) for row in shown], "success": True}
    if following:
        answer["nextPage"] = following
    return answer


def _view(row: Row) -> dict[str, Any]:
    return {
        "id": row["Id"],
        "notificationId": row["NotificationId"],
        "createTime": row["CreatedDate"],
        "requestUrl": row["Url"],
        "requestMethod": row["Method"],
        "notification": row["Notification"],
        "eventCategory": row["EventCategory"],
        "eventContext": ", ".join(f"{name}={value}" for name, value in row["Context"].items()),
        "attemptedNum": f"{row['Attempt']}",
        "responseCode": f"{row['ResponseCode']}",
        "responseContent": row["ResponseContent"],
    }


def resend(tenant: Tenant, request: Request) -> Any:
    ids = request.any_json
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise invalid("The body must be an array of callout history ids.")
    tenant.resend += [tenant.require("Callout", one) for one in ids]
    return dict.fromkeys(ids, "QUEUED")
