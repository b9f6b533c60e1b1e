"""Whether events, slices and Zuora say the same, to the last digit; every difference is named.

Three sums per subscription, charge and billing period. Between events and slices lies what a SET took back and later
slices gave (`carried`); between slices and Zuora what was billed already and is made up for elsewhere (`moved`). Both
are explained amounts, row by row; what they do not explain is a difference. The running hour is left out. So is usage
of a time in which its customer had no subscription: no side has it, so it is no difference, but it is told beside them.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.lookups import IsNull

from catalog.models import BillingPeriod
from integrations.models import (
    Connection,
    EntityKind,
    SyncRecord,
    SyncStatus,
    UsageDifference,
    UsageOfNobody,
    UsageReconciliation,
    UsageRecord,
)
from integrations.usage_delivery import to_push
from integrations.usage_lines import Compared, Comparison, Line
from integrations.usage_nobodys import line_of
from integrations.usage_reading import MOST_TOGETHER, Held, in_parts, read_held
from integrations.zuora.client import Client
from integrations.zuora.errors import ZuoraError
from subscriptions.models import PastTerms, Subscription
from subscriptions.periods import Period, current_period
from usage.models import DirtyHour, Slice
from usage.unattributed import billed_to_nobody
from usage.windows import ends_at

Clock = Callable[[], datetime]
#: What the hourly run closes is in Zuora minutes later; one that was missed is caught up with in less than two.
LOOK_AGAIN, PATIENCE = timedelta(minutes=10), timedelta(hours=2)
_STEP = 200  # lines after which a comparison says how far it has come


def reconcile_usage(
    *,
    connection: Connection,
    client: Client,
    now: datetime,
    subscription: Subscription | None = None,
    day: date | None = None,
    whole: bool = False,
) -> Iterator[Line]:
    """Yield a line for each charge and period: the current and the last one, that of a day, or all of them.

    Subscriptions that will not be synced, and are not in Zuora, are not compared. Nothing is written anywhere.

    Raises:
        ZuoraError: Zuora could not be read.
    """
    upto = compared_upto(now)
    rows = Subscription.objects.filter(_has_usage(upto)).order_by("ref_id")
    if subscription is not None:
        rows = Subscription.objects.filter(pk=subscription.pk)
    found = rows.prefetch_related("addons", "past_terms", "price_overrides__tiers").iterator(
        chunk_size=2 * MOST_TOGETHER
    )
    while some := list(islice(found, MOST_TOGETHER)):
        compared = list(_to_compare(connection, some, upto=upto, day=day, whole=whole))
        for part in in_parts(compared, sizes=_sizes(connection, compared)):
            linked = {one.record.zuora_number: one for one in part if one.is_linked}
            held = read_held(
                client,
                {number: one.periods[0].start for number, one in linked.items()},
                accounts={number: one.account_id for number, one in linked.items() if one.account_id},
            )
            for one in part:
                yield from Comparison(connection, one, held.get(one.record.zuora_number, Held()), upto).lines()


def compared_upto(now: datetime) -> datetime:
    """Return the beginning of the running hour: what is used from then on is not compared yet."""
    return now.replace(minute=0, second=0, microsecond=0)


def _has_usage(upto: datetime) -> Q:
    """The subscriptions with slices, and those of which usage was told that may be in none yet."""
    told = DirtyHour.objects.filter(hour__lt=upto).order_by().values("customer")
    had = PastTerms.objects.filter(customer__in=told).order_by().values("subscription")
    # The first one of each, by its index: PostgreSQL may look for just any among all that there are.
    first = Slice.objects.filter(subscription=OuterRef("pk")).order_by("starts_at").values("starts_at")[:1]
    return Q(IsNull(Subquery(first), False)) | Q(customer__in=told) | Q(pk__in=had)


def _to_compare(
    connection: Connection, subscriptions: Sequence[Subscription], *, upto: datetime, day: date | None, whole: bool
) -> Iterator[Compared]:
    records = {
        one.root_id: one
        for one in SyncRecord.objects.filter(
            connection=connection, kind=EntityKind.SUBSCRIPTION, root_id__in=[one.pk for one in subscriptions]
        )
    }
    accounts: dict[int, str] = dict(
        SyncRecord.objects.filter(
            connection=connection, kind=EntityKind.CUSTOMER, root_id__in={one.customer_id for one in subscriptions}
        ).values_list("root_id", "zuora_id")
    )
    for one in subscriptions:
        record = records.get(one.pk)
        if record is None or (record.status == SyncStatus.NO_SYNC_REQUIRED and not record.is_linked):
            continue
        if periods := _periods(one, upto=upto, day=day, whole=whole):
            yield Compared(one, record, periods, accounts.get(one.customer_id, ""))


def _sizes(connection: Connection, compared: Sequence[Compared]) -> list[int]:
    """Return about how many usage records Zuora has of each."""
    since = {one.subscription.pk: one.periods[0].start for one in compared if one.is_linked}
    if not since:
        return [0] * len(compared)
    records = UsageRecord.objects.filter(connection=connection, charge__subscription__in=since)
    counts = records.filter(starts_at__gte=min(since.values())).order_by().values_list("charge__subscription")
    found: dict[int, int] = dict(counts.annotate(count=Count("pk")))
    return [found.get(one.subscription.pk, 0) for one in compared]


def should_wait(*, asked: datetime, now: datetime) -> bool:
    """Whether the comparison of the night, asked for at that time, is to be asked for again when `LOOK_AGAIN` is over.

    It is while usage that was told before is on its way: where hours are caught up with, each of them would be named as
    a difference that is gone minutes later. After `PATIENCE` it is compared as it is, so that what is stuck is named.
    """
    connection = Connection.objects.active().first()
    if connection is None or now >= asked + PATIENCE:
        return False
    return (
        DirtyHour.objects.filter(hour__lt=compared_upto(now), since__lte=asked).exists()
        or any(True for _ in to_push(connection=connection))
        or UsageRecord.objects.filter(connection=connection).pending().exists()
    )


def reconcile_and_keep(*, clock: Clock, open_client: Callable[[Connection], Client]) -> UsageReconciliation | None:
    """Compare the current and the last period of everybody, and keep the result; None where nothing is connected."""
    if not Connection.objects.active().exists():
        return None
    kept = UsageReconciliation.objects.create(at=clock(), seen_at=clock())
    carry_out(kept, clock=clock, open_client=open_client)
    return kept


def carry_out(kept: UsageReconciliation, *, clock: Clock, open_client: Callable[[Connection], Client]) -> None:
    """Compare as `reconcile_and_keep` does, into a row that is there; what is done, or under way, is left alone.

    What is no longer billed is read back once more after that: mostly nothing of it differs, and nobody need look.
    """
    if kept.finished_at is not None or (kept.compared and kept.is_running(now=clock())):
        return
    kept.differences.all().delete()
    kept.of_nobody.all().delete()
    now = clock()
    kept.mark_begun(upto=compared_upto(now))
    compared, differing, changed, error, found, gone = 0, 0, 0, "", list[UsageDifference](), list[int]()
    connection = Connection.objects.active().first()
    try:
        if connection is None:
            error = "Zuora is not connected any more."
        else:
            for line in reconcile_usage(connection=connection, client=open_client(connection), now=now):
                compared += 1
                gone += line.no_longer_billed
                if line.differences:
                    differing += 1
                    changed += len(line.changed_there)
                    one = UsageDifference(reconciliation=kept, line=line.as_json(), changed_there=line.changed_there)
                    found.append(one)
                if not compared % _STEP:
                    UsageDifference.objects.bulk_create(found)
                    found.clear()
                    kept.mark_seen(compared=compared, differing=differing, now=clock())
    except ZuoraError as problem:
        error = problem.message
    UsageDifference.objects.bulk_create(found)
    UsageRecord.objects.filter(pk__in=gone).look_again(now=now)
    lines = billed_to_nobody(upto=compared_upto(now))
    of_nobody = UsageOfNobody.objects.bulk_create(
        (UsageOfNobody(reconciliation=kept, line=line_of(one)) for one in lines), batch_size=_STEP
    )
    kept.mark_finished(
        compared=compared,
        differing=differing,
        error=error,
        changed_there=changed,
        unattributed=len(of_nobody),
        now=clock(),
    )


def _periods(subscription: Subscription, *, upto: datetime, day: date | None, whole: bool) -> list[Period]:
    """Return the billing periods to compare, the earliest first."""
    if not subscription.billing_period or subscription.billing_anchor >= upto:
        return []

    def around(moment: datetime) -> Period:
        return current_period(
            start=subscription.billing_anchor,
            billing_period=BillingPeriod(subscription.billing_period),
            now=moment,
        )

    end = min(upto, ends_at(subscription) or upto)
    if day is not None:
        noon = datetime.combine(day, time(12), tzinfo=UTC)
        chosen = around(noon)
        return [chosen] if chosen.start <= noon < chosen.end and chosen.start < end else []
    periods = [around(end - timedelta(microseconds=1))]
    while periods[0].start > subscription.billing_anchor and (whole or len(periods) < 2):  # noqa: PLR2004
        periods.insert(0, around(periods[0].start - timedelta(microseconds=1)))
    return periods
