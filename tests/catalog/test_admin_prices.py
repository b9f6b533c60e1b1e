from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from catalog.models import (
    BillingModel,
    Price,
)
from catalog.publishing import start_draft
from catalog.tiers import Tier
from tests.admin_pages import act, complaints, post, said, text, url
from tests.factories.catalog import (
    FeatureFactory,
    PlanFactory,
    PriceFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)

pytestmark = pytest.mark.django_db


def test_the_version_on_sale_is_shown_but_not_changed(admin_client: Client) -> None:
    plan = plan_with_prices()
    sold = plan.prices.get()
    page = url("catalog_price", "change", sold.pk)
    assert "This version is on sale, and stays as it is: start a draft, change the price there" in text(
        admin_client.get(page)
    )
    assert admin_client.post(page, {"billing_model": "FLAT_FEE"}).status_code == 403


def test_a_changed_price_goes_through_a_draft(admin_client: Client) -> None:
    plan = plan_with_prices(display_name="Pro")
    assert said(act(admin_client, "catalog_plan", "start_draft", plan)) == [
        "Pro: its prices can be changed in the draft now."
    ]
    draft = plan.prices.get(version_number=2)
    post(admin_client, url("catalog_price", "change", draft.pk), amounts__0__amount="12.5")
    act(admin_client, "catalog_plan", "publish", plan)
    plan.refresh_from_db()
    assert plan.version_number == 2
    assert [(p.version_number, p.amounts.get().amount) for p in plan.prices.order_by("version_number")] == [
        (1, Decimal(10)),
        (2, Decimal("12.5")),
    ]


def test_a_new_price_joins_the_draft_of_its_addon(admin_client: Client) -> None:
    addon = addon_with_prices(display_name="Storage")
    add = f"{url('catalog_price', 'add')}?addon={addon.pk}"
    charge = {
        "billing_model": "FLAT_FEE",
        "billing_period": "ANNUALLY",
        "amounts__0__currency": "EUR",
        "amounts__0__amount": "100",
    }
    assert complaints(post(admin_client, add, **charge)) == ["Storage has no draft: start one, then add the price."]
    start_draft(package=addon)
    post(admin_client, add, **charge)
    assert addon.prices.get(billing_period="ANNUALLY").version_number == 2


@pytest.mark.parametrize(
    ("changes", "sentences"),
    [
        (
            {"amounts__0__currency": ""},
            ["This field is required."],
        ),
        (
            {"amounts__0__amount": ""},
            ["Give the amount; 0 is one."],
        ),
        (
            {"amounts__0__DELETE": "on"},
            ["It costs nothing yet: give an amount, or tiers, in at least one currency."],
        ),
        (
            {"amounts__0__tiers": "* 1"},
            ["There are tiers, but no tiers mode: choose VOLUME or GRADUATED, or delete the tiers."],
        ),
        (
            {"amounts__0__tiers": "ten 1"},
            [
                "Line 1: “ten” is not a whole number of units.",
                (
                    "One tier per line: its last unit (* for the last tier), the price per unit, and the flat price if "
                    "there is one; - stands for no price. For example: 10 5.00, then 100 4.50, then * 4.00 20.00."
                ),
            ],
        ),
        (
            {"amounts__1__currency": "EUR", "amounts__1__amount": "1"},
            [
                "Please correct the duplicate data for currency and billing_country_code, which must be unique.",
                "Please correct the duplicate values below.",
            ],
        ),
        (
            {"amounts__1__currency": "usd", "amounts__1__amount": "1"},
            ["Give the ISO 4217 code in capitals, for example EUR."],
        ),
        (
            {"billing_model": "PER_UNIT"},
            ["A price per unit or by usage needs the feature that is counted: choose one."],
        ),
        (
            {"billing_period": "ANNUALLY"},
            ["This version has such a charge for that billing period already: change that one."],
        ),
    ],
)
def test_a_price_that_is_not_sound_is_told(changes: dict[str, str], sentences: list[str], admin_client: Client) -> None:
    plan = PlanFactory.create(status="DRAFT")
    price(plan, billing_period="ANNUALLY")
    charge = price(plan)
    response = post(admin_client, url("catalog_price", "change", charge.pk), **changes)
    assert complaints(response) == sentences
    assert (str(charge.amounts.get().amount), Price.objects.get(pk=charge.pk).billing_period) == (
        "10.000000000",
        "MONTHLY",
    )


def test_usage_beside_annual_prices_is_told(admin_client: Client) -> None:
    plan = PlanFactory.create(status="DRAFT")
    price(plan, billing_period="ANNUALLY")
    response = post(
        admin_client,
        f"{url('catalog_price', 'add')}?plan={plan.pk}",
        billing_model="USAGE_BASED",
        billing_period="MONTHLY",
        feature=FeatureFactory.create().pk,
        amounts__0__currency="EUR",
        amounts__0__amount="1",
    )
    assert complaints(response) == [
        (
            "Usage is billed only where MONTHLY is the sole billing period: make this price MONTHLY, or move the "
            "annual prices or the usage to a plan of their own."
        )
    ]


def test_changed_tiers_replace_the_old_ones(admin_client: Client) -> None:
    plan = PlanFactory.create(status="DRAFT")
    old = [Tier(10, Decimal(5), None), Tier(None, Decimal(4), None)]
    charge = price(
        plan,
        billing_model=BillingModel.PER_UNIT,
        feature=FeatureFactory.create(),
        tiers_mode="VOLUME",
        amounts={"EUR": old, "USD": old},
    )
    post(admin_client, url("catalog_price", "change", charge.pk), amounts__0__tiers="* 3")
    assert {a.currency: [Tier.of(tier) for tier in a.tiers.all()] for a in charge.amounts.all()} == {
        "EUR": [Tier(None, Decimal(3), None)],
        "USD": old,
    }


def test_tiers_that_nobody_touched_are_not_written_again(admin_client: Client) -> None:
    charge = price(
        PlanFactory.create(status="DRAFT"),
        billing_model=BillingModel.PER_UNIT,
        feature=FeatureFactory.create(),
        tiers_mode="VOLUME",
        amounts={"USD": [Tier(10, Decimal(5), None), Tier(None, Decimal(4), None)]},
    )
    amount = charge.amounts.get()
    before = list(amount.tiers.all())
    post(admin_client, url("catalog_price", "change", charge.pk), amounts__0__billing_country_code="US")
    amount.refresh_from_db()
    assert (amount.billing_country_code, list(amount.tiers.all())) == ("US", before)


def test_a_price_that_was_sold_is_not_deleted(admin_client: Client) -> None:
    plan = plan_with_prices()
    start_draft(package=plan)
    sold, drafted = plan.prices.order_by("version_number")
    sentence = (
        "Nothing was deleted. This version is on sale, and stays as it is: start a draft, change the price there, and "
        "publish the draft."
    )
    one = admin_client.post(url("catalog_price", "delete", sold.pk), {"post": "yes"}, follow=True)
    assert said(one) == [sentence]
    assert said(act(admin_client, "catalog_price", "delete_selected", sold, drafted, post="yes")) == [sentence]
    admin_client.post(url("catalog_price", "delete", drafted.pk), {"post": "yes"})
    assert list(Price.objects.all()) == [sold]


def test_a_price_of_what_is_not_paid_is_refused() -> None:
    plan = PlanFactory.create(display_name="Hobby", pricing_type="FREE", status="DRAFT")
    with pytest.raises(ValidationError) as refusal:
        PriceFactory.build(plan=plan).full_clean()
    assert refusal.value.messages == [
        "Hobby is FREE, and only a PAID plan or add-on has prices: change its pricing type first."
    ]
