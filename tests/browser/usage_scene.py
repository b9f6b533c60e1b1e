"""The scene's usage: two days of API calls, in every state that a page can show, and how it was compared."""

from datetime import datetime, timedelta
from decimal import Decimal

from catalog.models import Addon, Feature, Price
from integrations.models import (
    BatchState,
    Connection,
    Request,
    UsageAction,
    UsageBatch,
    UsageCharge,
    UsageDifference,
    UsageOfNobody,
    UsageReconciliation,
    UsageRecord,
    UsageState,
)
from integrations.usage_nobodys import line_of
from integrations.usage_reconcile import compared_upto
from subscriptions.models import PastContent, Subscription
from usage.models import Slice, UnattributedUsage, UpdateBehavior, UsageEvent
from usage.unattributed import billed_to_nobody

KEY = "plan:scale/MONTHLY/RECURRING/USAGE_BASED/api-calls"
HOUR = timedelta(hours=1)
REFUSED = "Zuora refuses it: The charge C-00000012 is not active on the start date (51000220)."
CURE = "Correct what Zuora names, then retry."


def build_usage(now: datetime, tenant: Connection) -> None:
    """Fill in 48 hours of usage of the subscription that is sold by usage, the comparison that followed, and more."""
    subscription = Subscription.objects.get(ref_id="subscription-cobalt")
    _held_before(subscription, now)
    charge = UsageCharge.objects.create(
        connection=tenant,
        subscription=subscription,
        key=KEY,
        catalog_id=f"{7:032x}",
        number="C-00000012",
        unit="calls",
        unabsorbed=Decimal(5),
    )
    hour = now.replace(minute=0, second=0, microsecond=0)
    batch = _batch(now, tenant)
    for back in range(48, 0, -1):
        _hour(charge, subscription, hour - back * HOUR, back, batch)
    UsageRecord.objects.create(
        connection=tenant,
        charge=charge,
        external_key="stigg--subscription-cobalt--plan--scale--api-calls--correction-1",
        charge_number=charge.number,
        starts_at=hour - 30 * HOUR,
        wanted=12,
        held=12,
        zuora_id=f"{800:032x}",
        state=UsageState.CONFIRMED,
        not_before=hour,
    )
    batch.record_ids = list(UsageRecord.objects.filter(batch=batch).values_list("pk", flat=True))
    batch.save()
    UnattributedUsage.objects.bulk_create(
        UnattributedUsage(
            customer=subscription.customer,
            feature=Feature.objects.get(ref_id="api-calls"),
            starts_at=hour - back * HOUR,
            ends_at=hour - (back - 1) * HOUR,
            change=Decimal("12.5"),
            event_count=3,
            noted_at=now,
        )
        for back in (1000, 999, 60)
    )
    _compared(now)


def _hour(charge: UsageCharge, subscription: Subscription, at: datetime, back: int, batch: UsageBatch) -> None:
    price = Price.objects.get(plan__ref_id="scale")
    quantity = Decimal(40 + (back * 37) % 160) + (Decimal("0.5") if back % 5 == 0 else 0)
    has_record = back > 2
    one = Slice.objects.create(
        subscription=subscription,
        price=price,
        starts_at=at,
        ends_at=at + HOUR,
        change=quantity,
        quantity=quantity,
        event_count=2,
        taken_revision=int(has_record),
        closed_at=at + HOUR + timedelta(minutes=4),
    )
    for number, part in enumerate((quantity - 10, Decimal(10))):
        UsageEvent.objects.create(
            idempotency_key=f"request-{at:%Y%m%d%H}-{number}",
            customer=subscription.customer,
            feature=price.feature,
            update_behavior=UpdateBehavior.DELTA,
            value=part,
            dimensions={"region": "eu-west", "status": 200} if number else {},
            occurred_at=at + timedelta(minutes=7 + 20 * number),
            received_at=at + timedelta(minutes=8 + 20 * number),
        )
    if not has_record:
        return
    state = {
        3: UsageState.PLANNED, 4: UsageState.SENDING, 5: UsageState.UNKNOWN, 6: UsageState.ACCEPTED,
        9: UsageState.FAILED, 10: UsageState.FAILED,
    }.get(back, UsageState.CONFIRMED)  # fmt: skip
    failed, there = state == UsageState.FAILED, state in {UsageState.CONFIRMED, UsageState.ACCEPTED}
    UsageRecord.objects.create(
        connection=charge.connection,
        charge=charge,
        slice=one,
        external_key=f"stigg--subscription-cobalt--plan--scale--api-calls--{at:%Y%m%dt%H%M%Sz}",
        charge_number=charge.number,
        starts_at=at,
        wanted=quantity,
        held=quantity if there else None,
        held_starts_at=at if there else None,
        zuora_id=f"{back + 500:032x}" if there else "",
        state=state,
        is_billed=back > 40,
        owed=12 if back == 45 else 0,  # what the correction adds
        not_before=at + HOUR,
        batch=batch,
        revision=1,
        reason=REFUSED if failed else "",
        cure=CURE if failed else "",
        accepted_at=at + HOUR + timedelta(minutes=4) if there else None,
        confirmed_at=at + HOUR + timedelta(minutes=5) if state == UsageState.CONFIRMED else None,
    )


def _batch(now: datetime, tenant: Connection) -> UsageBatch:
    batch = UsageBatch.objects.create(
        connection=tenant,
        action=UsageAction.CREATE,
        idempotency_key="made-up-batch-key",
        record_ids=[],
        state=BatchState.DONE,
        attempts=1,
        not_before=now - HOUR,
        sent_at=now - HOUR,
        finished_at=now - HOUR,
    )
    Request.objects.create(
        connection=tenant,
        track_id="made-up-usage-track",
        method="POST",
        path="/v1/action/create?rejectUnknownFields=true",
        idempotency_key=batch.idempotency_key,
        body='{"type":"Usage","objects":[{"ChargeNumber":"C-00000012","Quantity":77,"UOM":"calls"}]}',
        status=200,
        answer='[{"Success":true,"Id":"00000000000000000000000000000201"}]',
        duration_ms=212,
        zuora_request_id="u5a8e-made-up",
        started_at=now - HOUR,
    )
    return batch


def _held_before(subscription: Subscription, now: datetime) -> None:
    """Let it have been sold with an add-on and another quantity before."""
    sso = Addon.objects.get(ref_id="sso")
    seats = Feature.objects.get(ref_id="seats")
    for count, (start, end) in enumerate(((38, 30), (30, 21))):
        PastContent.objects.create(
            subscription=subscription,
            starts_at=now - timedelta(days=start),
            ends_at=now - timedelta(days=end),
            content={
                "plan": [subscription.plan_id, subscription.plan_version_number],
                "billing_period": subscription.billing_period,
                "addons": [[sso.pk, sso.version_number, 1]] if count else [],
                "quantities": [[seats.pk, 5 + 7 * count]],
                "overrides": [],
                "coupon": None,
            },
        )


def _compared(now: datetime) -> None:
    for back, differing, error in ((3, 0, ""), (2, 0, "rest.na.zuora.com gave no answer: Read timed out."), (1, 1, "")):
        at = now - timedelta(days=back)
        kept = UsageReconciliation.objects.create(
            at=at, seen_at=at, finished_at=at, compared=2, differing=differing, changed_there=differing, error=error
        )
        if differing:
            changed = UsageRecord.objects.filter(state=UsageState.CONFIRMED).values_list("pk", flat=True)[:1]
            UsageDifference.objects.create(reconciliation=kept, line=difference(now), changed_there=list(changed))
            found = list(billed_to_nobody(upto=now))
            UsageOfNobody.objects.bulk_create(UsageOfNobody(reconciliation=kept, line=line_of(one)) for one in found)
            kept.unattributed, kept.upto = len(found), compared_upto(at)
            kept.save()


def difference(now: datetime) -> dict[str, object]:
    """Return a line of a report."""
    return {
        "subscription": "subscription-cobalt",
        "charge": KEY,
        "number": "C-00000012",
        "start": (now - timedelta(days=20)).isoformat(),
        "end": (now + timedelta(days=10)).isoformat(),
        "events": "5210.5",
        "carried": "0",
        "slices": "5210.5",
        "moved": "0",
        "zuora": "5186.5",
        "differences": [
            f"Zuora has no stigg--subscription-cobalt--plan--scale--api-calls--{now:%Y%m%dt%H0000z}, 12 (failed).",
            f"Zuora says 4 for stigg--subscription-cobalt--plan--scale--api-calls--{now:%Y%m%dt}000000z, not 16.",
            "Slices say 5210.5, moved 0, but Zuora says 5186.5.",
        ],
    }
