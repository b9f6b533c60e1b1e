"""No two records of a tenant have the same key: one that had would keep everybody's usage from being sent."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from catalog.models import BillingModel
from integrations.models import UsageRecord
from tests.factories.catalog import price
from tests.integrations.test_usage_sales import amounts, changed, differences
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_what_a_change_cuts_inside_a_second_has_two_keys(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    tenant.plan.version_number = 2
    tenant.plan.save()
    price(tenant.plan, billing_model=BillingModel.USAGE_BASED, feature=tenant.feature, amounts={"EUR": 10})
    tenant.settle()
    tenant.at(START + timedelta(hours=2, milliseconds=200))
    tenant.use(acme, 1)
    tenant.advance(milliseconds=300)
    with changed(tenant, acme) as one:
        one.plan_version_number = 2
    tenant.advance(milliseconds=200)
    tenant.use(acme, 2)
    tenant.settle()
    tenant.next_hour()
    tenant.quiet()
    assert [key for key, _, _ in tenant.rows()] == [
        "s1--plan--payg--api-calls--20260310t140000-500000z",
        "s1--plan--payg--api-calls--20260310t140000z",
    ]
    assert differences(tenant) == []
    assert amounts(tenant, date(2026, 5, 10)) == [(Decimal(1), Decimal(1)), (Decimal(2), Decimal(20))]


def test_corrections_of_the_month_and_of_the_year_have_two_keys(tenant: UsageWorld) -> None:
    acme = tenant.sell()
    price(
        tenant.plan,
        billing_model=BillingModel.USAGE_BASED,
        billing_period="ANNUALLY",
        feature=tenant.feature,
        amounts={"EUR": 10},
    )
    tenant.settle()
    tenant.use(acme, 1)
    tenant.advance(days=1)
    tenant.quiet()
    with changed(tenant, acme) as one:
        one.billing_period = "ANNUALLY"
    tenant.settle()
    tenant.advance(days=2)
    tenant.use(acme, 2)
    tenant.next_hour()
    tenant.quiet()
    tenant.bill(date(2027, 5, 10))
    tenant.use(acme, 4, at=START)
    tenant.use(acme, 8, at=START + timedelta(days=3))
    tenant.next_hour()
    tenant.quiet()
    assert [key for key, _, _ in tenant.rows() if "correction" in key] == [
        "s1--plan--payg--api-calls--correction-1",
        "s1--plan--payg--api-calls--correction-2",
    ]
    assert differences(tenant) == []
    assert amounts(tenant, date(2027, 5, 10)) == [
        (Decimal(1), Decimal(1)),
        (Decimal(2), Decimal(20)),
        (Decimal(4), Decimal(4)),
        (Decimal(8), Decimal(80)),
    ]


def test_whose_usage_cannot_be_planned_holds_up_nobody(tenant: UsageWorld) -> None:
    sold = [tenant.sell("s1"), tenant.sell("s2")]
    for one in sold:
        tenant.use(one, 1)
    tenant.next_hour()
    tenant.quiet()
    assert tenant.quantities() == [1, 1]
    of_the_next_hour = "stigg--s1--plan--payg--api-calls--20260310t130000z"
    UsageRecord.objects.filter(external_key__startswith="stigg--s1").update(external_key=of_the_next_hour)
    for one in sold:
        tenant.use(one, 2)
    tenant.next_hour()
    tenant.quiet()
    assert tenant.quantities() == [1, 1, 2]
