"""The charges of a draft, set all at once."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from catalog.models import BillingModel, BillingPeriod, Plan, Price, PriceAmount, PricingType
from catalog.pricing import Amount, Charge, set_charges
from catalog.publishing import publish, start_draft
from tests.factories.catalog import FeatureFactory, PlanFactory, plan_with_prices

pytestmark = pytest.mark.django_db


def flat(amount: int = 10, period: BillingPeriod = BillingPeriod.MONTHLY, **fields: Any) -> Charge:
    amounts = [Amount(currency="EUR", amount=Decimal(amount))]
    return Charge(**{"billing_model": BillingModel.FLAT_FEE, "billing_period": period, "amounts": amounts, **fields})


def set_paid(plan: Plan, *charges: Charge) -> None:
    set_charges(package=plan, pricing_type=PricingType.PAID, charges=charges)


@pytest.fixture
def draft() -> Plan:
    return PlanFactory.create(status="DRAFT", pricing_type="")


def test_the_old_charges_go_and_the_type_is_set(draft: Plan) -> None:
    set_paid(draft, flat(10), flat(100, BillingPeriod.ANNUALLY))
    set_paid(draft, flat(12))

    assert list(PriceAmount.objects.values_list("price__billing_period", "amount")) == [("MONTHLY", Decimal(12))]
    assert Plan.objects.get().pricing_type == "PAID"


def test_a_draft_can_be_emptied_before_it_was_sold(draft: Plan) -> None:
    set_paid(draft, flat())
    set_charges(package=draft, pricing_type=PricingType.FREE, charges=[])
    publish(package=draft)

    assert (Plan.objects.get().status, Price.objects.count()) == ("PUBLISHED", 0)


@pytest.mark.parametrize(
    ("pricing_type", "charges", "sentence"),
    [
        (PricingType.PAID, [], "would have no charges left"),
        (PricingType.FREE, [], "is sold as PAID: for FREE, make another one"),
        (PricingType.PAID, [flat(), flat(11)], "There are two charges FLAT_FEE, RECURRING MONTHLY"),
        (PricingType.PAID, [flat(amounts=[])], "It costs nothing yet"),
        (PricingType.PAID, [flat(billing_model=BillingModel.PER_UNIT)], "needs the feature that is counted"),
        (PricingType.PAID, [flat(min_unit_quantity=3, max_unit_quantity=2)], "The fewest units"),
    ],
)
def test_what_is_not_sound_changes_nothing(pricing_type: PricingType, charges: list[Charge], sentence: str) -> None:
    plan = plan_with_prices()
    start_draft(package=plan)
    before = list(Price.objects.order_by("pk").values())

    with pytest.raises(ValidationError, match=sentence):
        set_charges(package=plan, pricing_type=pricing_type, charges=charges)

    assert list(Price.objects.order_by("pk").values()) == before


def test_what_is_on_sale_has_no_charges_to_set() -> None:
    with pytest.raises(ValidationError, match="has no draft: create one"):
        set_paid(plan_with_prices(), flat())


def test_usage_beside_an_annual_price_is_refused_whichever_comes_first(draft: Plan) -> None:
    usage = flat(billing_model=BillingModel.USAGE_BASED, feature=FeatureFactory.create())

    for charges in ([usage, flat(100, BillingPeriod.ANNUALLY)], [flat(100, BillingPeriod.ANNUALLY), usage]):
        with pytest.raises(ValidationError, match="MONTHLY is the sole billing period"):
            set_paid(draft, *charges)
    assert Price.objects.count() == 0
