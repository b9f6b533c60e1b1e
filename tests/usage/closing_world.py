"""A customer who pays by usage, and what the tests of closing do with it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from catalog.models import BillingModel, Feature
from subscriptions.models import Subscription
from tests.factories.catalog import PlanFactory, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import MeteredFeatureFactory
from usage.closing import Closed, close
from usage.models import Slice, UpdateBehavior
from usage.reporting import UsageReport, report_usage

DAY = datetime(2026, 3, 10, tzinfo=UTC)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def at(hour: int, minute: int = 0, *, day: int = 10, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@dataclass
class Metered:
    """One customer with one subscription that is charged for API calls."""

    feature: Feature
    subscription: Subscription
    told: int = field(default=0)

    def use(self, moment: datetime, value: int | str, *, how: str = "DELTA", **fields: Any) -> None:
        self.told += 1
        report = UsageReport(
            customer=self.subscription.customer.ref_id,
            feature=self.feature.ref_id,
            value=Decimal(value),
            behavior=UpdateBehavior(how),
            key=f"key-{self.told}",
            at=moment,
            resource=self.subscription.resource_id,
        )
        report_usage(reports={0: UsageReport(**{**_members(report), **fields})}, now=LATER)

    def close(self, upto: datetime = LATER, *, zone: tzinfo = UTC) -> Closed:
        return close(upto=upto, now=LATER, zone=zone)

    def close_at(self, moment: datetime) -> Closed:
        """Close what is whole at that moment, as the beat does then."""
        return close(upto=moment, now=moment)

    def slices(self) -> list[tuple[str, int]]:
        """Return begin and quantity of every slice, in order."""
        rows = Slice.objects.filter(subscription=self.subscription).order_by("starts_at")
        return [(f"{one.starts_at:%d %H:%M}", int(one.quantity)) for one in rows]


def _members(report: UsageReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in UsageReport.__slots__}


def metered(**fields: Any) -> Metered:
    feature = MeteredFeatureFactory.create(ref_id="api-calls")
    plan = PlanFactory.create(ref_id="payg")
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=feature, amounts={"EUR": 1})
    customer = CustomerFactory.create(ref_id="acme")
    made = SubscriptionFactory.create(
        **{"ref_id": "s1", "customer": customer, "plan": plan, "start_date": DAY - timedelta(days=40), **fields}
    )
    return Metered(feature, made)
