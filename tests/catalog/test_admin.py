from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from catalog.models import (
    Addon,
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
    after = type(row).objects.values().get(pk=row.pk)
    assert after | {"updated_at": None} == before | {"updated_at": None}


def test_features_and_products_are_added(admin_client: Client) -> None:
    post(admin_client, url("catalog_feature", "add"), ref_id="seats", display_name="Seats", units_plural="seats")
    post(admin_client, url("catalog_product", "add"), ref_id="app", display_name="App", metadata="")
    assert Feature.objects.get().units_plural == "seats"
    assert Product.objects.get().metadata == {}


def test_how_something_is_sold_is_said_on_its_page(admin_client: Client) -> None:
    plan, free, addon = plan_with_prices(), PlanFactory.create(pricing_type="FREE"), addon_with_prices()
    page = url("catalog_plan", "change", plan.pk)
    post(admin_client, page, trial_duration="14", trial_end_behavior="CANCEL_SUBSCRIPTION", parent=free.pk)
    plan.refresh_from_db()
    assert (plan.trial_duration, plan.trial_units, plan.trial_end_behavior, plan.parent) == (
        14,
        "DAY",
        "CANCEL_SUBSCRIPTION",
        free,
    )
    assert complaints(post(admin_client, page, parent=plan.pk)) == [
        f"{plan} cannot have {plan} as its parent: that one inherits from {plan}."
    ]
    assert complaints(post(admin_client, url("catalog_addon", "change", addon.pk), dependencies=[addon.pk])) == [
        f"{addon} cannot need itself: leave it out of its dependencies."
    ]
    product = url("catalog_product", "change", plan.product.pk)
    assert complaints(post(admin_client, product, downgrade_plan=free.pk)) == [
        f"{free} is no free plan of {plan.product} that is on sale: choose one that is."
    ]


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


def test_a_draft_is_deleted_with_its_prices(admin_client: Client) -> None:
    plan = PlanFactory.create(status="DRAFT")
    PriceFactory.create(plan=plan)
    admin_client.post(url("catalog_plan", "delete", plan.pk), {"post": "yes"})
    assert not Plan.objects.exists()
    assert not Price.objects.exists()
