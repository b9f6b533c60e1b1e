"""Usage, with no surprises: an active NUMBER feature that counts up, and one of it used at noon."""

# mypy: disable-error-code="no-untyped-call"
# factory_boy types its factories, but not yet its declarations.

from datetime import UTC, datetime
from decimal import Decimal

from factory.declarations import SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from catalog.models import MeterType
from tests.factories.catalog import FeatureFactory
from tests.factories.customers import CustomerFactory
from usage.models import Aggregation, Meter, UsageEvent

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class MeteredFeatureFactory(FeatureFactory):
    """A feature whose usage can be reported."""

    ref_id = Sequence(lambda n: f"api-calls-{n}")
    meter_type = MeterType.INCREMENTAL
    units_singular = "API call"
    units_plural = "API calls"


class MeterFactory(DjangoModelFactory[Meter]):
    """A meter that counts every event."""

    class Meta:
        model = Meter

    feature = SubFactory(MeteredFeatureFactory)
    aggregation = Aggregation.COUNT


class UsageEventFactory(DjangoModelFactory[UsageEvent]):
    """One unit of a feature; pass feature=None, value=None and event_name=... for a raw event."""

    class Meta:
        model = UsageEvent

    idempotency_key = Sequence(lambda n: f"key-{n}")
    customer = SubFactory(CustomerFactory)
    feature = SubFactory(MeteredFeatureFactory)
    value = Decimal(1)
    occurred_at = NOON
    received_at = SelfAttribute("occurred_at")
