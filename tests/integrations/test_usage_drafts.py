"""A draft invoice freezes usage in Zuora, and frees it when it is deleted: what was taken for billed is open again."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import CancellationTime
from integrations import usage_reconcile
from integrations.models import UsageRecord, UsageState
from integrations.usage_sync import retry
from integrations.zuora.standin.billing.run import bill, withdraw
from subscriptions.cancelling import cancel
from subscriptions.models import Subscription
from tests.integrations.price_changes import sell_dearer
from tests.integrations.test_usage_sales import amounts, differences
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

USED_AT = START - timedelta(hours=4)
GONE = (
    "It was on an invoice that is deleted: the nightly comparison, or reconcile_usage --mend, has it read again and "
    "set right."
)
KEY = "stigg--s1--plan--payg--api-calls--20260310t080000z"


@pytest.fixture
def acme(tenant: UsageWorld) -> Subscription:
    """A subscription with twenty units that were on a draft, of which we have read that they are billed."""
    sold = tenant.sell()
    tenant.use(sold, 20, at=USED_AT)
    tenant.push()
    far = tenant.world.app.tenant
    [draft] = bill(far, target=date(2026, 4, 10), post=False)
    tenant.sweep()
    assert UsageRecord.objects.get().is_billed
    withdraw(far, draft)
    return sold


def by_night(tenant: UsageWorld) -> None:
    usage_reconcile.reconcile_and_keep(clock=tenant.world.clock, open_client=lambda _: tenant.world.client)
    tenant.quiet()
    tenant.next_hour()
    tenant.quiet()


def nothing(_: UsageWorld, __: Subscription) -> None: ...


def more(tenant: UsageWorld, acme: Subscription) -> None:
    tenant.use(acme, 4, at=USED_AT)


def less(tenant: UsageWorld, acme: Subscription) -> None:
    tenant.use(acme, -15, at=USED_AT)


def dearer(tenant: UsageWorld, acme: Subscription) -> None:
    sell_dearer(acme, tenant)
    tenant.settle()


def ended(tenant: UsageWorld, acme: Subscription) -> None:
    acme.refresh_from_db()
    cancel(subscription=acme, time=CancellationTime.IMMEDIATE, now=tenant.now)
    tenant.settle()


def changed_by_hand(tenant: UsageWorld, _: Subscription) -> None:
    store = tenant.world.app.tenant.store
    store.change("Usage", tenant.world.rows("Usage")[0], Quantity=Decimal(7))


def corrected_and_drafted_again(tenant: UsageWorld, acme: Subscription) -> None:
    """What is told of drafted usage is a correction; so is what is told when that is on a draft as well."""
    far = tenant.world.app.tenant
    for quantity in (4, 8):
        tenant.use(acme, quantity, at=USED_AT)
        tenant.next_hour()
        tenant.push()
        drafts = bill(far, target=date(2026, 4, 10), post=False)
        tenant.sweep()
        for draft in drafts:
            withdraw(far, draft)


@pytest.mark.parametrize(
    ("happens", "right"),
    [
        (nothing, 20),
        (more, 24),
        (less, 5),
        (dearer, 20),
        (ended, 20),
        (changed_by_hand, 20),
        (corrected_and_drafted_again, 32),
    ],
)
def test_what_was_on_a_deleted_draft_is_billed_as_if_it_had_never_been(
    tenant: UsageWorld, acme: Subscription, happens: Callable[[UsageWorld, Subscription], None], right: int
) -> None:
    happens(tenant, acme)
    tenant.next_hour()
    tenant.quiet()
    by_night(tenant)
    assert differences(tenant) == []
    assert sum(one.owed for one in UsageRecord.objects.all()) == 0
    paid = amounts(tenant, date(2026, 5, 10))
    assert (sum(quantity for quantity, _ in paid), sum(price for _, price in paid)) == (right, right)


@pytest.mark.usefixtures("acme")
def test_what_was_deleted_with_its_draft_goes_to_a_person_who_has_it_made_anew(tenant: UsageWorld) -> None:
    store = tenant.world.app.tenant.store
    store.delete("Usage", tenant.world.rows("Usage")[0]["Id"])
    tenant.next_hour()
    assert differences(tenant) == [
        f"Zuora has no {KEY}, 20 (confirmed). {GONE}",
        "Slices say 20, moved 0, but Zuora says 0.",
    ]
    by_night(tenant)
    [record] = UsageRecord.objects.all()
    assert (record.state, record.is_billed) == (UsageState.FAILED, False)
    retry(records=[record.pk], actor=None, now=tenant.now)
    tenant.quiet()
    assert differences(tenant) == []
    assert tenant.bill(date(2026, 5, 10)) == {"stigg--s1": Decimal(20)}


@pytest.mark.usefixtures("acme")
def test_what_is_still_billed_stays_so_when_it_is_read_again(tenant: UsageWorld) -> None:
    tenant.bill(date(2026, 4, 10))
    UsageRecord.objects.all().look_again(now=tenant.now)
    tenant.quiet()
    [record] = UsageRecord.objects.all()
    assert (record.state, record.is_billed) == (UsageState.CONFIRMED, True)
