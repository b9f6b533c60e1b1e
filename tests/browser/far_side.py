"""Every state that a page can show: records, jobs, deliveries and requests of the scene's company."""

from datetime import datetime, timedelta
from typing import Any

from integrations.models import (
    Connection,
    Delivery,
    DeliveryOutcome,
    EntityKind,
    JobState,
    Operation,
    OperationLine,
    OperationState,
    Priority,
    Request,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.models.job import cause_of
from tests.browser.scene import Company, company, connection
from tests.browser.usage_scene import build_usage

TRACE = [
    {
        "rule": "has_a_subscription",
        "passed": True,
        "saw": "1 subscription",
        "text": "The customer has no subscription.",
    },
    {
        "rule": "has_billing_information",
        "passed": True,
        "saw": "EUR, DE",
        "text": "Billing information is missing: fill in the billing currency and the country of the address.",
    },
    {
        "rule": "has_a_payment_method",
        "passed": False,
        "saw": "none",
        "text": "There is no payment method: attach one that Zuora holds.",
    },
    {"rule": "customer_sync_is_on", "passed": True, "saw": "on", "text": "Customer sync is off."},
]


def build(now: datetime) -> Connection:
    """Fill the database, and return the connection."""
    tenant = connection(now)
    made = company(now)
    # Saving all this made records and jobs, as it should: the scene has its own.
    SyncRecord.objects.all().delete()
    SyncJob.objects.all().delete()
    _records(now, tenant, made)
    _jobs(now, tenant, made)
    _background(now, tenant)
    build_usage(now, tenant)
    return tenant


def _zuora_id(number: int) -> str:
    return f"{number:032x}"


def _records(now: datetime, tenant: Connection, of: Company) -> None:
    plans, customers, subscriptions = of.plans, of.customers, of.subscriptions

    def record(
        kind: EntityKind, row: Any, status: SyncStatus, key: str = "", as_kind: EntityKind | None = None, **values: Any
    ) -> None:
        number = SyncRecord.objects.count() + 1
        held = status == SyncStatus.SUCCESS
        SyncRecord.objects.create(
            **{
                "connection": tenant,
                "key": key or f"{kind.value}:{row.ref_id}",
                "kind": as_kind or kind,
                "root_kind": kind,
                "root_id": row.pk,
                "status": status,
                "status_since": now - timedelta(hours=number),
                "synced_at": now - timedelta(hours=number) if held else None,
                "zuora_id": _zuora_id(number) if held else "",
                "zuora_number": f"stigg--{row.ref_id}" if held and not key else "",
                **values,
            }
        )

    for plan in plans[:2]:
        record(EntityKind.PLAN, plan, SyncStatus.SUCCESS)
    for period in ("MONTHLY", "ANNUALLY"):
        record(EntityKind.PLAN, plans[1], SyncStatus.SUCCESS, f"plan:team/{period}", EntityKind.BILLING_PERIOD)
        record(
            EntityKind.PLAN, plans[1], SyncStatus.SUCCESS, f"plan:team/{period}/RECURRING/FLAT_FEE", EntityKind.CHARGE
        )
    record(
        EntityKind.PLAN, plans[1], SyncStatus.SUCCESS, "plan:team/MONTHLY/RECURRING/PER_UNIT/seats", EntityKind.CHARGE
    )
    record(
        EntityKind.PLAN,
        plans[2],
        SyncStatus.ERROR,
        error="Zuora refuses it: The unit of measure 'calls' is not active (53200020).",
        cure="Create or activate the unit in Zuora at Billing Settings > Units of Measure, then retry.",
        zuora_says="The unit of measure 'calls' is not active (53200020)",
        zuora_request_id="c2a1f0de-made-up",
    )
    record(EntityKind.ADDON, of.addon, SyncStatus.SUCCESS)
    record(EntityKind.COUPON, of.coupon, SyncStatus.SUCCESS)
    passed = [
        {**rule, "passed": True, "saw": "a payment method" if rule["rule"] == "has_a_payment_method" else rule["saw"]}
        for rule in TRACE
    ]
    for number, customer in enumerate(customers):
        if number == 3:
            record(EntityKind.CUSTOMER, customer, SyncStatus.NO_SYNC_REQUIRED, trace=TRACE)
        elif number == 4:
            record(EntityKind.CUSTOMER, customer, SyncStatus.PENDING, trace=passed)
        else:
            record(EntityKind.CUSTOMER, customer, SyncStatus.SUCCESS, trace=passed)
    for number, subscription in enumerate(subscriptions):
        trial = {
            "rule": "not_a_trial",
            "passed": number not in {1, 4},
            "saw": "in trial" if number in {1, 4} else "no trial",
            "text": "A trial is not billed before it converts.",
        }
        if number == 1:
            record(
                EntityKind.SUBSCRIPTION,
                subscription,
                SyncStatus.NO_SYNC_REQUIRED,
                trace=[trial],
                zuora_id=_zuora_id(901),
                zuora_number="stigg--subscription-birch",
            )
        elif number == 4:
            record(EntityKind.SUBSCRIPTION, subscription, SyncStatus.NO_SYNC_REQUIRED, trace=[trial])
        else:
            record(
                EntityKind.SUBSCRIPTION,
                subscription,
                SyncStatus.PENDING if number in {2, 3} else SyncStatus.SUCCESS,
                trace=[trial],
            )


def _jobs(now: datetime, tenant: Connection, of: Company) -> None:
    plans, customers, subscriptions = of.plans, of.customers, of.subscriptions

    def job(kind: EntityKind, row: Any, state: JobState, minutes: int, **values: Any) -> SyncJob:
        at = now - timedelta(minutes=minutes)
        ended = state in {JobState.DONE, JobState.FAILED}
        return SyncJob.objects.create(
            **{
                "connection": tenant,
                "kind": kind,
                "entity_id": row.pk,
                "key": f"{kind.value}:{row.ref_id}",
                "state": state,
                "not_before": at,
                "created_at": at,
                "finished_at": at + timedelta(seconds=2) if ended else None,
                "attempts": 1,
                "priority": Priority.CHANGE,
                "cause": cause_of(values.get("reason", "")) if state == JobState.FAILED else "",
                **values,
            }
        )

    def delivery(of: SyncJob, outcome: DeliveryOutcome, error: str = "") -> Delivery:
        return Delivery.objects.create(
            job=of,
            track_id=f"made-up-track-{of.pk}",
            worker="worker:1:made-up",
            outcome=outcome,
            error=error,
            started_at=of.created_at,
            finished_at=of.created_at + timedelta(seconds=1),
        )

    sent = delivery(job(EntityKind.PLAN, plans[1], JobState.DONE, 55), DeliveryOutcome.SENT)
    _request(sent, "POST /v1/object/product", '{"Success":true,"Id":"00000000000000000000000000000002"}')
    _request(sent, f"PUT /v1/object/product-rate-plan-charge-tier/{_zuora_id(9)}", '{"Success":true}')
    for row in customers[:3]:
        delivery(job(EntityKind.CUSTOMER, row, JobState.DONE, 44), DeliveryOutcome.SENT)
    reason = "Zuora refuses it: The unit of measure 'calls' is not active (53200020)."
    failed = delivery(
        job(EntityKind.PLAN, plans[2], JobState.FAILED, 41, reason=reason), DeliveryOutcome.FAILED, reason
    )
    said = '{"Success":false,"Errors":[{"Code":"53200020","Message":"The unit of measure is not active"}]}'
    _request(failed, "POST /v1/object/product-rate-plan-charge", said, reason)
    waits = job(
        EntityKind.SUBSCRIPTION,
        subscriptions[2],
        JobState.WAITING,
        40,
        waiting_for="plan:scale",
        reason=f"Waits for plan scale, which failed: {reason}",
    )
    delivery(waits, DeliveryOutcome.WAITS, "Waits for plan scale, which is not in Zuora yet.")
    job(EntityKind.CUSTOMER, customers[4], JobState.WAITING, 1, not_before=now + timedelta(seconds=20))


def _background(now: datetime, tenant: Connection) -> None:
    shared = {"connection": tenant, "not_before": now + timedelta(days=1), "worked": timedelta(seconds=84)}
    Operation.objects.create(
        kind="backfill", title="Sync everything", total=12, done=12, failed=1, state=OperationState.DONE,
        started_by_name="administrator", created_at=now - timedelta(hours=3), finished_at=now - timedelta(hours=2),
        tally={"Synced": 11, "Failed": 1}, **shared,
    )  # fmt: skip
    retry = Operation.objects.create(
        kind="retry", title="Retry 2,140: Zuora refuses it: The unit of measure … is not active (…).",
        total=2140, done=1203, failed=2, state=OperationState.RUNNING, started_by_name="operator",
        created_at=now - timedelta(minutes=2), tally={"Synced": 1200, "Failed": 2, "Waits for another entity": 1},
        **shared,
    )  # fmt: skip
    reason = "Zuora refuses it: The unit of measure 'calls' is not active (53200020)."
    for key, outcome, text in (
        ("plan:scale", "Failed", reason),
        ("addon:sso", "Failed", reason),
        ("subscription:subscription-cobalt", "Waits for another entity", "Waits for plan scale, which failed."),
    ):
        OperationLine.objects.create(operation=retry, key=key, outcome=outcome, text=text)


def _request(of: Delivery, call: str, answer: str, error: str = "") -> None:
    method, path = call.split()
    Request.objects.create(
        connection=of.job.connection,
        delivery=of,
        track_id=of.track_id,
        method=method,
        path=path,
        idempotency_key="made-up-key" if method == "POST" else "",
        body='{"Name":"Team","SKU":"stigg--plan--team","Price":49.00,"Category":"Base Products"}',
        status=200,
        answer=answer,
        error=error,
        duration_ms=184,
        zuora_request_id="c2a1f0de-made-up",
        started_at=of.started_at,
    )
