"""A product again: what is copied, and what is not."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from catalog.duplicating import duplicate_product
from catalog.models import Addon, Plan, Price, PriceTier, Product
from catalog.publishing import start_draft
from catalog.tiers import Tier
from tests.factories.catalog import (
    AddonFactory,
    PlanFactory,
    ProductFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)

pytestmark = pytest.mark.django_db


def copy_of(product: Product, ref_id: str = "emea") -> Product:
    return duplicate_product(product=product, ref_id=ref_id, display_name="EMEA", description="")


def test_prices_are_copied_with_their_tiers_and_without_their_links() -> None:
    product = ProductFactory.create(ref_id="app")
    plan = PlanFactory.create(ref_id="pro", product=product, version_number=3)
    tiers = [
        Tier(up_to=10, unit_price=Decimal(5), flat_price=None),
        Tier(up_to=None, unit_price=Decimal(4), flat_price=Decimal(20)),
    ]
    price(
        plan,
        version_number=3,
        billing_id="C-1",
        tiers_mode="GRADUATED",
        billing_model="MINIMUM_SPEND",
        amounts={"EUR": tiers},
    )

    copy_of(product)

    [copied] = Price.objects.filter(plan__ref_id="pro-emea")
    assert (copied.version_number, copied.tiers_mode, copied.billing_id) == (1, "GRADUATED", "")
    found = PriceTier.objects.filter(price_amount__price=copied).values_list("up_to", "unit_price", "flat_price")
    assert list(found) == [(10, Decimal(5), None), (None, Decimal(4), Decimal(20))]
    assert Price.objects.filter(plan=plan).count() == 1


def test_an_addon_keeps_its_prices_and_how_many_there_may_be() -> None:
    product = ProductFactory.create(ref_id="app")
    addon_with_prices(ref_id="more", product=product, max_quantity=3)

    copy_of(product)

    copied = Addon.objects.get(ref_id="more-emea")
    assert (copied.status, copied.max_quantity, copied.prices.count()) == ("DRAFT", 3, 1)


def test_a_draft_of_another_version_is_not_copied() -> None:
    plan = plan_with_prices(ref_id="pro")
    start_draft(package=plan)

    copy_of(plan.product)

    assert Price.objects.filter(plan__ref_id="pro-emea").count() == 1


def test_an_id_that_would_be_too_long_is_refused_and_nothing_is_copied() -> None:
    plan = PlanFactory.create(ref_id="p" * 250)

    with pytest.raises(ValidationError, match="cannot be copied to"):
        copy_of(plan.product, "emea-and-more")

    assert (Product.objects.count(), Plan.objects.count()) == (1, 1)


def test_how_it_is_sold_is_copied_and_what_it_points_at_is_that_of_the_copy() -> None:
    product = ProductFactory.create(ref_id="app", cancellation_time="END_OF_BILLING_PERIOD")
    free = PlanFactory.create(ref_id="free", product=product, pricing_type="FREE")
    Product.objects.update(downgrade_plan=free)
    PlanFactory.create(ref_id="pro", product=product, parent=free, trial_duration=2, trial_units="MONTH")
    phone, chat, other = (AddonFactory.create(ref_id=name, product=product) for name in ("phone", "chat", "other"))
    Addon.objects.filter(pk=other.pk).update(product=ProductFactory.create())
    phone.dependencies.set([chat, other])

    copied = copy_of(product)

    assert (copied.cancellation_time, copied.downgrade_plan) == ("END_OF_BILLING_PERIOD", None)
    pro = Plan.objects.get(ref_id="pro-emea")
    assert (pro.parent, pro.trial_duration, pro.trial_units) == (Plan.objects.get(ref_id="free-emea"), 2, "MONTH")
    needed = Addon.objects.get(ref_id="phone-emea").dependencies.all()
    assert [addon.ref_id for addon in needed] == ["chat-emea", "other"]


def test_an_addon_of_another_product_stays_compatible() -> None:
    plan = PlanFactory.create(ref_id="pro")
    other = AddonFactory.create(ref_id="elsewhere")
    plan.compatible_addons.add(other)

    copy_of(plan.product)

    assert list(Plan.objects.get(ref_id="pro-emea").compatible_addons.all()) == [other]
