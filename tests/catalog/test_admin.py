from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import (
    Addon,
    BillingModel,
    Coupon,
    CouponAmount,
    CouponStatus,
    Feature,
    PackageStatus,
    Plan,
    Price,
    PriceAmount,
    Product,
)
from catalog.publishing import start_draft
from catalog.tiers import Tier
from tests.admin_pages import act, complaints, post, said, text, url
from tests.factories.catalog import (
    AddonFactory,
    CouponAmountFactory,
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    PriceFactory,
    ProductFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)

pytestmark = pytest.mark.django_db

MAKE: dict[str, Callable[[], Any]] = {
    "catalog_feature": FeatureFactory.create,
    "catalog_product": ProductFactory.create,
    "catalog_plan": lambda: plan_with_prices(per_unit=1),
    "catalog_addon": lambda: addon_with_prices(per_unit=1),
    "catalog_price": lambda: price(PlanFactory.create(status="DRAFT")),
    "catalog_coupon": lambda: CouponAmountFactory.create().coupon,
}
#: Savepoint and release, session, user, two counts, the rows; plans and add-ons also the products to filter by, prices
#: the amounts of all rows at once.
QUERIES = {
    "catalog_feature": 7,
    "catalog_product": 7,
    "catalog_plan": 8,
    "catalog_addon": 8,
    "catalog_price": 8,
    "catalog_coupon": 7,
}


@pytest.mark.parametrize("model", MAKE)
@pytest.mark.parametrize("rows", [1, 3])
def test_a_list_costs_the_same_for_one_row_and_for_three(
    model: str, rows: int, admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        MAKE[model]()
    with django_assert_num_queries(QUERIES[model]):
        response = admin_client.get(url(model, "changelist"))
    assert response.context["cl"].result_count == rows


@pytest.mark.parametrize("model", MAKE)
def test_a_list_can_be_searched(model: str, admin_client: Client) -> None:
    MAKE[model]()
    assert admin_client.get(url(model, "changelist"), {"q": "nothing-like-it"}).context["cl"].result_count == 0


@pytest.mark.parametrize("model", MAKE)
def test_a_page_that_nobody_touched_can_be_saved(model: str, admin_client: Client) -> None:
    row = MAKE[model]()
    before = type(row).objects.values().get(pk=row.pk)
    response = post(admin_client, url(model, "change", row.pk))
    assert response.redirect_chain == [(url(model, "changelist"), 302)]
    assert type(row).objects.values().get(pk=row.pk) == before


def test_features_and_products_are_added(admin_client: Client) -> None:
    post(admin_client, url("catalog_feature", "add"), ref_id="seats", display_name="Seats", units_plural="seats")
    post(admin_client, url("catalog_product", "add"), ref_id="app", display_name="App", metadata="")
    assert Feature.objects.get().units_plural == "seats"
    assert Product.objects.get().metadata == {}


def test_a_plan_is_added_priced_and_published(admin_client: Client) -> None:
    product, seats = ProductFactory.create(), FeatureFactory.create()
    post(
        admin_client,
        url("catalog_plan", "add"),
        ref_id="pro",
        display_name="Pro",
        product=product.pk,
        pricing_type="PAID",
        metadata='{"region": "emea"}',
    )
    plan = Plan.objects.get()
    assert (plan.status, plan.version_number, plan.metadata) == (PackageStatus.DRAFT, 1, {"region": "emea"})
    add_price = f"{url('catalog_price', 'add')}?plan={plan.pk}"
    assert f'<a href="{add_price}">Add a price to version 1</a>' in text(
        admin_client.get(url("catalog_plan", "change", plan.pk))
    )

    post(
        admin_client,
        add_price,
        billing_model="PER_UNIT",
        billing_period="MONTHLY",
        feature=seats.pk,
        tiers_mode="GRADUATED",
        amounts__0__currency="EUR",
        amounts__0__tiers="10 5\r\n* 4 20",
    )
    amount = PriceAmount.objects.get(price__plan=plan, price__version_number=1)
    assert (amount.currency, amount.amount) == ("EUR", None)
    assert [Tier.of(tier) for tier in amount.tiers.all()] == [
        Tier(10, Decimal(5), None),
        Tier(None, Decimal(4), Decimal(20)),
    ]

    assert said(act(admin_client, "catalog_plan", "publish", plan)) == ["Pro: published."]
    plan.refresh_from_db()
    assert plan.status == PackageStatus.PUBLISHED


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


def test_coupons_are_added_with_what_they_take_off(admin_client: Client) -> None:
    post(
        admin_client,
        url("catalog_coupon", "add"),
        ref_id="spring",
        display_name="Spring",
        coupon_type="PERCENTAGE",
        percent_off="20",
    )
    post(
        admin_client,
        url("catalog_coupon", "add"),
        ref_id="five",
        display_name="Five",
        coupon_type="FIXED",
        amounts__0__currency="EUR",
        amounts__0__amount="5",
    )
    assert list(Coupon.objects.values_list("ref_id", "percent_off")) == [("five", None), ("spring", Decimal(20))]
    assert list(CouponAmount.objects.values_list("coupon__ref_id", "currency", "amount")) == [
        ("five", "EUR", Decimal(5))
    ]


@pytest.mark.parametrize(
    ("coupon", "sentence"),
    [
        ({"coupon_type": "FIXED"}, "A FIXED coupon takes an amount off: give one per currency."),
        (
            {
                "coupon_type": "PERCENTAGE",
                "percent_off": "5",
                "amounts__0__currency": "EUR",
                "amounts__0__amount": "5",
            },
            "A PERCENTAGE coupon takes no amounts: delete them, or make it FIXED.",
        ),
    ],
)
def test_a_coupon_that_is_not_sound_is_told(coupon: dict[str, str], sentence: str, admin_client: Client) -> None:
    response = post(admin_client, url("catalog_coupon", "add"), ref_id="c", display_name="C", **coupon)
    assert complaints(response) == [sentence]
    assert not Coupon.objects.exists()


def test_what_is_immutable_in_stigg_stays(admin_client: Client) -> None:
    amount = CouponAmountFactory.create()
    plan = plan_with_prices()
    post(
        admin_client,
        url("catalog_coupon", "change", amount.coupon.pk),
        ref_id="other",
        coupon_type="PERCENTAGE",
        percent_off="90",
        duration_in_months="3",
        amounts__0__amount="500",
        description="For friends",
    )
    post(admin_client, url("catalog_plan", "change", plan.pk), ref_id="other", pricing_type="FREE", display_name="New")

    stored = Coupon.objects.get()
    assert (stored.ref_id, stored.coupon_type, stored.percent_off) == (amount.coupon.ref_id, "FIXED", None)
    assert (stored.duration_in_months, stored.description) == (None, "For friends")
    assert CouponAmount.objects.get().amount == 5
    kept = Plan.objects.get()
    assert (kept.ref_id, kept.pricing_type, kept.display_name) == (plan.ref_id, "PAID", "New")


def test_metadata_that_is_not_flat_is_told(admin_client: Client) -> None:
    feature = FeatureFactory.create()
    page = url("catalog_feature", "change", feature.pk)
    assert complaints(post(admin_client, page, metadata='{"tags": ["a"]}')) == [
        'Metadata holds texts only: write the value of "tags" in quotes, without lists or objects in it.'
    ]
    assert complaints(post(admin_client, page, metadata="[1]")) == [
        'Metadata is an object of texts, for example {"region": "emea"}.'
    ]
    assert complaints(post(admin_client, page, metadata="{")) == ["Enter a valid JSON."]


def test_actions_say_for_each_row_what_became_of_it(admin_client: Client) -> None:
    draft = PlanFactory.create(ref_id="a", display_name="Draft", status="DRAFT")
    sold = plan_with_prices(ref_id="b", display_name="Sold")
    assert said(act(admin_client, "catalog_plan", "publish", draft, sold)) == [
        "Draft: Draft is PAID and has no prices: add one, or make it FREE or CUSTOM.",
        "Sold: Sold has no draft: what it is, is on sale. Start a draft to change its prices.",
    ]
    assert said(act(admin_client, "catalog_plan", "archive", draft, sold)) == [
        "Draft: Draft was never on sale: delete it instead.",
        "Sold: archived.",
    ]
    assert said(act(admin_client, "catalog_plan", "unarchive", sold)) == ["Sold: on sale again."]
    coupon = CouponFactory.create(display_name="Spring")
    assert said(act(admin_client, "catalog_coupon", "archive", coupon)) == ["Spring: archived."]
    assert Coupon.objects.get().status == CouponStatus.ARCHIVED


def test_actions_are_not_for_those_who_may_only_look(client: Client, django_user_model: Any) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(viewer.user_permissions.model.objects.filter(codename="view_plan"))
    client.force_login(viewer)
    plan = plan_with_prices()
    act(client, "catalog_plan", "archive", plan)
    plan.refresh_from_db()
    assert plan.status == PackageStatus.PUBLISHED


@pytest.fixture
def kept() -> Any:
    """Somebody who must keep every add-on called Kept."""

    def refuse(instance: Addon, **_: Any) -> None:
        if instance.display_name == "Kept":
            raise ProtectedError("Kept is billed elsewhere: archive it instead.", {instance})

    pre_delete.connect(refuse, sender=Addon)
    yield
    pre_delete.disconnect(refuse, sender=Addon)


@pytest.mark.usefixtures("kept")
def test_a_refused_deletion_is_told_and_nothing_is_deleted(admin_client: Client) -> None:
    kept, other = AddonFactory.create(display_name="Kept"), AddonFactory.create(display_name="Other")
    sentence = "Nothing was deleted. Kept is billed elsewhere: archive it instead."

    one = admin_client.post(url("catalog_addon", "delete", kept.pk), {"post": "yes"}, follow=True)
    assert one.request["PATH_INFO"] == url("catalog_addon", "change", kept.pk)
    assert said(one) == [sentence]
    assert said(act(admin_client, "catalog_addon", "delete_selected", other, kept, post="yes")) == [sentence]
    assert list(Addon.objects.order_by("pk")) == [kept, other]

    admin_client.post(url("catalog_addon", "delete", other.pk), {"post": "yes"})
    assert list(Addon.objects.all()) == [kept]


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


def test_a_draft_is_deleted_with_its_prices(admin_client: Client) -> None:
    plan = PlanFactory.create(status="DRAFT")
    PriceFactory.create(plan=plan)
    admin_client.post(url("catalog_plan", "delete", plan.pk), {"post": "yes"})
    assert not Plan.objects.exists()
    assert not Price.objects.exists()


def test_a_price_of_what_is_not_paid_is_refused() -> None:
    plan = PlanFactory.create(display_name="Hobby", pricing_type="FREE", status="DRAFT")
    with pytest.raises(ValidationError) as refusal:
        PriceFactory.build(plan=plan).full_clean()
    assert refusal.value.messages == [
        "Hobby is FREE, and only a PAID plan or add-on has prices: change its pricing type first."
    ]
