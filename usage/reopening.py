"""Which hours have to be counted again because of what became known later.

A subscription has another beginning or end, or other terms; or a feature has another meter.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from subscriptions.models import PastTerms, Subscription, SubscriptionStatus
from subscriptions.tenure import stretches
from usage.models import DirtyHour, Slice
from usage.remetering import recount_changed
from usage.spans import SOURCE, moment_of, read, rows_of
from usage.unsold import sold_by_now
from usage.windows import HOUR

#: An end that is set in hindsight is noticed for so long.
_HINDSIGHT = timedelta(days=40)


def reopen(*, now: datetime, subscription: Subscription | None) -> None:
    """Have hours counted again that another beginning or end of a subscription has made another's, or nobody's.

    And those of a meter that was changed: that is everybody's work, which one subscription's closing leaves to the next
    hour's.
    """
    if subscription is None:
        recount_changed(now=now)
    beyond = (
        Slice.objects.annotate(end=Coalesce("subscription__cancellation_date", "subscription__effective_end_date"))
        .filter(_ended("subscription__"), end__gt=now - _HINDSIGHT, end__lt=now)
        .filter(starts_at__gt=F("end") - HOUR, ends_at__gt=F("end"))
        .exclude(change=0)
    )
    # A change that was noticed when its hour had been counted: what was before it and after it are counted apart.
    cut = PastTerms.objects.filter(ends_at__gt=now - _HINDSIGHT, ends_at__lt=now).filter(
        subscription__slices__starts_at__gt=F("ends_at") - HOUR,
        subscription__slices__starts_at__lt=F("ends_at"),
        subscription__slices__ends_at__gt=F("ends_at"),
    )
    if subscription is not None:
        beyond, cut = beyond.filter(subscription=subscription), cut.filter(subscription=subscription)
    feature, start = "price__feature_id", "starts_at"
    hours: set[tuple[int, str, int, datetime]] = _reached(_sources("NULL", subscription))
    hours |= sold_by_now(_sources("NOT NULL", subscription))
    hours |= set(beyond.order_by().values_list(*_whose("subscription__"), feature, start))
    for prefix in ("", "subscription__"):
        slices = "subscription__slices__"
        hours |= set(cut.order_by().values_list(*_whose(prefix), slices + feature, slices + start))
    DirtyHour.objects.bulk_create(
        [
            DirtyHour(
                customer_id=customer,
                feature_id=feature_id,
                resource_id=resource,
                hour=begin.replace(minute=0, second=0, microsecond=0),
                since=now,
            )
            for customer, resource, feature_id, begin in sorted(hours)
        ],
        ignore_conflicts=True,
    )


def had(subscription: Subscription) -> Q:
    """Whoever has or had the subscription, for whichever resource."""
    mine = Q()
    for one in stretches(subscription):
        mine |= Q(customer_id=one.terms.customer_id, resource_id=one.terms.resource_id)
    return mine


def _ended(prefix: str = "") -> Q:
    """Whether an end is known, as `windows.ends_at` tells it."""
    over = [SubscriptionStatus.CANCELED, SubscriptionStatus.EXPIRED]
    return Q(**{f"{prefix}cancellation_date__isnull": False}) | Q(
        **{f"{prefix}status__in": over, f"{prefix}effective_end_date__isnull": False}
    )


def _sources(unsold_by: str, subscription: Subscription | None) -> list[tuple[int, int, str]]:
    """Return whose UnattributedUsage there is, with such an `unsold_by`; of those who had this subscription only."""
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES[connection.vendor].format(unsold_by=unsold_by))
        sources: list[tuple[int, int, str]] = cursor.fetchall()
    if subscription is not None:
        mine = {(one.terms.customer_id, one.terms.resource_id) for one in stretches(subscription)}
        sources = [one for one in sources if (one[0], one[2]) in mine]
    return sources


def _reached(sources: Sequence[tuple[int, int, str]]) -> set[tuple[int, str, int, datetime]]:
    """Return the hours of these sources without a subscription that one reaches into."""
    if not sources:
        return set()
    rows, texts = rows_of(SOURCE, sources)
    found = read(_REACHED.format(rows=rows, nearby=_NEARBY[connection.vendor]), texts)
    return {(*key, moment_of(moment)) for *key, moment in found}


#: Whose usage is unattributed: few, of however many hours. PostgreSQL goes from one to the next by the index.
_SOURCES = {
    "postgresql": """
SELECT source.* FROM (
  WITH RECURSIVE source AS (
    (SELECT customer_id, feature_id, resource_id FROM usage_unattributedusage WHERE unsold_by_id IS {unsold_by}
     ORDER BY 1, 2, 3 LIMIT 1)
    UNION ALL
    SELECT next.* FROM source CROSS JOIN LATERAL (
      SELECT customer_id, feature_id, resource_id FROM usage_unattributedusage noted
      WHERE (noted.customer_id, noted.feature_id, noted.resource_id)
        > (source.customer_id, source.feature_id, source.resource_id) AND noted.unsold_by_id IS {unsold_by}
      ORDER BY 1, 2, 3 LIMIT 1
    ) next
  ) SELECT * FROM source
) source""".strip(),
    "sqlite": """
SELECT DISTINCT customer_id, feature_id, resource_id FROM usage_unattributedusage WHERE unsold_by_id IS {unsold_by}""",
}
#: As `_ended` and `windows.ends_at` tell it; where there is no end, far away.
_END = """coalesce(sold.cancellation_date,
  CASE WHEN sold.status IN ('CANCELED', 'EXPIRED') THEN sold.effective_end_date END, '9999-12-31')"""
#: What came after an end is not read: it grows for as long as somebody goes on to use what he had. What was used before
#: a subscription was taken over is left out: counted again, each hour anew, it would still be nobody's.
_REACHED = f"""
SELECT DISTINCT noted.customer_id, noted.resource_id, noted.feature_id, noted.starts_at
FROM {{rows}} JOIN subscriptions_subscription sold ON sold.customer_id = span.customer_id
  AND sold.resource_id = span.resource_id
JOIN usage_unattributedusage noted ON noted.customer_id = span.customer_id AND noted.feature_id = span.feature_id
  AND noted.resource_id = span.resource_id AND noted.unsold_by_id IS NULL AND noted.ends_at > sold.start_date {{nearby}}
  AND noted.starts_at < {_END}
WHERE NOT EXISTS (
  SELECT 1 FROM subscriptions_pastterms past WHERE past.subscription_id = sold.id
  AND past.starts_at < noted.ends_at AND noted.ends_at <= past.ends_at
  AND (past.customer_id <> noted.customer_id OR past.resource_id <> noted.resource_id)
)"""  # noqa: S608 - our own words
#: None is longer than an hour: so the index knows where to begin.
_NEARBY = {"postgresql": "AND noted.starts_at > sold.start_date - interval '1 hour'", "sqlite": ""}


def _whose(prefix: str) -> tuple[str, str]:
    return f"{prefix}customer_id", f"{prefix}resource_id"
