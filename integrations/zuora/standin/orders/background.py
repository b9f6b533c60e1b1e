"""Asynchronous orders: taken at once, done as a job, told by polling.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_CreateOrderAsynchronously/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.jobs import WORKS, put_job
from integrations.zuora.standin.orders.intake import ASYNC_MAXIMUM, checked_order, order_answer, take_order
from integrations.zuora.standin.orders.lifecycle import take_back
from integrations.zuora.standin.orders.preview import checked_preview, preview
from integrations.zuora.standin.orders.views import required_order
from integrations.zuora.standin.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


def create_async(tenant: Tenant, request: Request) -> Answer:
    body = checked_order(tenant, request, maximum=ASYNC_MAXIMUM)
    version, ids = f"{request.version}", request.flag("returnIds")
    job = put_job(tenant, "order", Body=body, Version=version, ReturnIds=ids)
    return json_answer({"jobId": job["Id"], "success": True}, 202)


def _create(tenant: Tenant, job: Row) -> dict[str, Any]:
    answer = order_answer(tenant, take_order(tenant, job["Body"]), float(job["Version"]), ids=job["ReturnIds"])
    answer.pop("success")
    return {"jobType": "AsyncCreateOrder", **answer}


def preview_async(tenant: Tenant, request: Request) -> Answer:
    job = put_job(tenant, "orderPreview", Body=checked_preview(tenant, request, maximum=ASYNC_MAXIMUM))
    return json_answer({"jobId": job["Id"], "success": True}, 202)


def _preview(tenant: Tenant, job: Row) -> dict[str, Any]:
    return {"jobType": "AsyncPreviewOrder", "previewResult": preview(tenant, job["Body"])}


def delete_async(tenant: Tenant, request: Request) -> Answer:
    job = put_job(tenant, "orderDelete", OrderId=required_order(tenant, request)["Id"])
    return json_answer({"jobId": job["Id"], "success": True}, 202)


def _delete(tenant: Tenant, job: Row) -> dict[str, Any]:
    order = tenant.require("Order", job["OrderId"])
    take_back(tenant, order)
    return {"jobType": "AsyncDeleteOrder", "orderNumber": order["OrderNumber"]}


WORKS.update(order=_create, orderPreview=_preview, orderDelete=_delete)
