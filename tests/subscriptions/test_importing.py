from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from subscriptions.importing import Imported, import_subscriptions
from subscriptions.models import Subscription
from subscriptions.provisioning import Order
from subscriptions.wanted import Content
from tests.factories.catalog import plan_with_prices
from tests.factories.customers import CustomerFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
PAST, FUTURE = datetime(2025, 3, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)


def row(ref_id: str, *, start: datetime = PAST, ends: datetime | None = None, **content: object) -> Imported:
    order = Order(
        customer=CustomerFactory.create(),
        plan=plan_with_prices(),
        ref_id=ref_id,
        start=start,
        content=Content(billing_period="MONTHLY", **content),  # type: ignore[arg-type]
    )
    return Imported(order, ends)


def test_they_are_taken_as_they_ran_and_twice_is_once() -> None:
    rows = [row("running"), row("ended", ends=datetime(2026, 1, 1, tzinfo=UTC)), row("later", start=FUTURE)]
    rows.append(row("ending", ends=FUTURE))
    assert [one.ref_id for one in import_subscriptions(rows=rows, now=NOW)] == ["running", "ended", "later", "ending"]
    assert import_subscriptions(rows=rows, now=NOW) == []
    assert dict(Subscription.objects.values_list("ref_id", "status")) == {
        "running": "ACTIVE",
        "ended": "CANCELED",
        "later": "NOT_STARTED",
        "ending": "ACTIVE",
    }


def test_one_that_cannot_be_keeps_all_out_and_says_which() -> None:
    rows = [row("good"), row("bad", addons={"nothing": 1}), row("worse", coupon="nothing")]
    with pytest.raises(ValidationError) as refusal:
        import_subscriptions(rows=rows, now=NOW)
    assert [(one.code, one.message) for one in refusal.value.error_list] == [
        ("1", "No add-on has the id 'nothing'."),
        ("2", "No coupon has the id 'nothing'."),
    ]
    assert not Subscription.objects.exists()
