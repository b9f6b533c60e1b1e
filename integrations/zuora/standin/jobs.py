"""Background work: it is done when its time has come by the stand-in's clock, at the next request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import Refusal, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

WORKS: dict[str, Callable[[Tenant, Row], dict[str, Any]]] = {}


def put_job(tenant: Tenant, kind: str, *, due: datetime | None = None, **payload: Any) -> Row:
    """A job that is due then, or after the tenant's `job_seconds`."""
    due = due or tenant.clock.now() + timedelta(seconds=tenant.switches.job_seconds)
    row = tenant.created(Kind=kind, Status="Processing", Due=due.astimezone(UTC).isoformat(), Open=True, **payload)
    return tenant.store.put("Job", row)


def run_due(tenant: Tenant) -> bool:
    """Do the work of every open job that is due, each succeeding or failing on its own; whether there was one."""
    worked = False
    now = tenant.clock.now().isoformat()
    for job in tenant.store.where("Job", "Open", value=True):
        if job["Due"] > now:
            continue
        worked = True
        with tenant.store.transaction():
            try:
                with tenant.store.transaction():
                    result = WORKS[job["Kind"]](tenant, job)
            except Refusal as refusal:
                errors = [{"code": 400_000 * 100 + refusal.kind.category, "message": refusal.message}]
                tenant.update("Job", job, Status="Failed", Open=None, Errors=errors)
            else:
                tenant.update("Job", job, Status="Completed", Open=None, Result=result)
    return worked


def read_async_job(tenant: Tenant, request: Request) -> Any:
    """An asynchronous order's job: `success` is true even for one that failed.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_JobStatusAndResponse/
    """
    job = tenant.store.get("Job", request.params["id"])
    if job is None or not job["Kind"].startswith("order"):
        raise not_found("job", request.params["id"])
    errors: Any = None
    if job.get("Errors"):
        errors = job["Errors"]
        if tenant.switches.async_errors == "string":
            errors = "; ".join(f"[{one['code']}]: {one['message']}" for one in errors)
    return {"status": job["Status"], "errors": errors, "result": job.get("Result"), "success": True}
