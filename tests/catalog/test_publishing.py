from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.db.models.signals import post_save

from catalog.models import Addon, BillingModel, BillingPeriod, CouponStatus, PackageStatus, Plan, Price, PriceAmount
from catalog.publishing import archive, archive_coupon, drafted_version, publish, start_draft, unarchive
from catalog.tiers import Tier
from tests.factories.catalog import (
    AddonFactory,
    CouponFactory,
    FeatureFactory,
    PlanFactory,
    PriceFactory,
    addon_with_prices,
    plan_with_prices,
    price,
)
from tests.factories.subscriptions import SubscriptionFactory

pytestmark = pytest.mark.django_db

TIERS = [Tier(10, Decimal(5), None), Tier(None, Decimal(4), Decimal(20))]


def content(package: Plan | Addon, version: int) -> list[Any]:
    return [
        (
            charge.billing_model,
            charge.billing_period,
            charge.feature_id,
            charge.tiers_mode,
            charge.min_unit_quantity,
            charge.billing_id,
            [(a.currency, a.amount, [Tier.of(tier) for tier in a.tiers.all()]) for a in charge.amounts.all()],
        )
        for charge in package.prices.of_version(version)
    ]


def refusal_of(verb: Any, package: Plan | Addon) -> list[str]:
    with pytest.raises(ValidationError) as refusal:
        verb(package=package)
    return refusal.value.messages


def test_a_draft_copies_prices_amounts_and_tiers() -> None:
    plan = plan_with_prices(periods=list(BillingPeriod), amounts={"EUR": 10, "USD": 12})
    seats = FeatureFactory.create()
    price(
        plan,
        billing_model="PER_UNIT",
        feature=seats,
        tiers_mode="GRADUATED",
        min_unit_quantity=2,
        billing_id="charge-1",
        amounts={"EUR": TIERS},
    )
    before = content(plan, 1)

    assert start_draft(package=plan) == 2

    assert before == [
        ("FLAT_FEE", "ANNUALLY", None, "", None, "", [("EUR", 10, []), ("USD", 12, [])]),
        ("FLAT_FEE", "MONTHLY", None, "", None, "", [("EUR", 10, []), ("USD", 12, [])]),
        ("PER_UNIT", "MONTHLY", seats.pk, "GRADUATED", 2, "charge-1", [("EUR", None, TIERS)]),
    ]
    assert (content(plan, 1), content(plan, 2)) == (before, before)
    plan.refresh_from_db()
    assert (plan.status, plan.version_number) == (PackageStatus.PUBLISHED, 1)


def test_a_draft_is_published_and_subscriptions_keep_what_they_were_sold() -> None:
    plan = plan_with_prices()
    subscription = SubscriptionFactory.create(plan=plan)
    start_draft(package=plan)
    PriceAmount.objects.filter(price__plan=plan, price__version_number=2).update(amount=99)

    publish(package=plan)

    plan.refresh_from_db()
    subscription.refresh_from_db()
    assert (plan.status, plan.version_number) == (PackageStatus.PUBLISHED, 2)
    assert subscription.plan_version_number == 1
    assert [price.amounts.get().amount for price in subscription.prices()] == [10]
    assert SubscriptionFactory.create(plan=plan).plan_version_number == 2


def test_the_first_draft_is_published_as_it_is() -> None:
    plan = plan_with_prices(status="DRAFT")
    publish(package=plan)
    plan.refresh_from_db()
    assert (plan.status, plan.version_number) == (PackageStatus.PUBLISHED, 1)


@pytest.mark.parametrize("pricing_type", ["FREE", "CUSTOM"])
def test_what_is_not_paid_is_published_without_prices(pricing_type: str) -> None:
    addon = AddonFactory.create(status="DRAFT", pricing_type=pricing_type)
    publish(package=addon)
    addon.refresh_from_db()
    assert addon.status == PackageStatus.PUBLISHED


def test_publishing_is_a_save_that_listeners_hear() -> None:
    heard: list[tuple[type[Model], int]] = []

    def listen(sender: type[Model], instance: Any, **_: Any) -> None:
        heard.append((sender, instance.pk))

    plan, addon = plan_with_prices(status="DRAFT"), addon_with_prices()
    post_save.connect(listen)
    try:
        publish(package=plan)
        archive(package=addon)
        unarchive(package=addon)
    finally:
        post_save.disconnect(listen)
    assert [one for one in heard if one[0] in {Plan, Addon}] == [(Plan, plan.pk), (Addon, addon.pk), (Addon, addon.pk)]


def test_there_is_one_draft_at_a_time() -> None:
    plan = plan_with_prices(display_name="Pro")
    start_draft(package=plan)
    sentence = "Pro has a draft already: change that one, then publish it."
    assert refusal_of(start_draft, plan) == [sentence]
    assert refusal_of(start_draft, plan_with_prices(display_name="Pro", status="DRAFT")) == [sentence]
    assert plan.prices.count() == 2


@pytest.mark.parametrize(
    ("verb", "fields", "sentence"),
    [
        (publish, {"status": "DRAFT"}, "Pro is PAID and has no prices: add one, or make it FREE or CUSTOM."),
        (publish, {}, "Pro has no draft: what it is, is on sale. Start a draft to change its prices."),
        (publish, {"status": "ARCHIVED"}, "Pro is archived: unarchive it first."),
        (start_draft, {"status": "ARCHIVED"}, "Pro is archived: unarchive it first."),
        (start_draft, {"pricing_type": "FREE"}, "Pro is FREE and has no prices to draft: change it as it is."),
        (archive, {"status": "DRAFT"}, "Pro was never on sale: delete it instead."),
        (archive, {"status": "ARCHIVED"}, "Pro is archived already."),
        (unarchive, {}, "Pro is not archived."),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(verb: Any, fields: dict[str, str], sentence: str) -> None:
    plan = PlanFactory.create(display_name="Pro", **fields)
    assert refusal_of(verb, plan) == [sentence]
    before = (plan.status, plan.version_number)
    plan.refresh_from_db()
    assert (plan.status, plan.version_number) == before


@pytest.mark.parametrize("pricing_type", ["FREE", "CUSTOM"])
def test_what_is_not_paid_cannot_have_prices(pricing_type: str) -> None:
    plan = plan_with_prices(status="DRAFT", display_name="Pro", pricing_type=pricing_type)
    assert refusal_of(publish, plan) == [f"Pro is {pricing_type} and has prices: delete them, or make it PAID."]


def test_every_price_that_is_not_whole_is_named() -> None:
    plan = plan_with_prices(status="DRAFT", display_name="Pro")
    PriceFactory.create(plan=plan, billing_model="PER_UNIT", feature=FeatureFactory.create())
    calls = FeatureFactory.create(units_singular="call")
    price(plan, billing_model="PER_UNIT", feature=calls, tiers_mode="VOLUME", amounts={"USD": 3})

    assert refusal_of(publish, plan) == [
        "Monthly Per Unit per seat: It costs nothing yet: give an amount, or tiers, in at least one currency.",
        "Monthly Per Unit per call: USD: A VOLUME price needs tiers: give them, or clear the tiers mode.",
        "Monthly Per Unit per call: USD: The tiers are the price: leave the amount empty, or clear the tiers mode.",
    ]


def test_usage_is_sold_by_the_month_only() -> None:
    plan = plan_with_prices(status="DRAFT", periods=list(BillingPeriod))
    price(plan, billing_model=BillingModel.USAGE_BASED, feature=FeatureFactory.create())
    sentence = (
        "Usage is billed only where MONTHLY is the sole billing period: make this price MONTHLY, or move the annual "
        "prices or the usage to a plan of their own."
    )
    assert refusal_of(publish, plan) == [
        f"Annually Flat Fee: {sentence}",
        f"Monthly Flat Fee: {sentence}",
        f"Monthly Usage Based per seat: {sentence}",
    ]
    Price.objects.filter(plan=plan, billing_period="ANNUALLY").delete()
    publish(package=plan)
    assert plan.status == PackageStatus.PUBLISHED


def test_a_failed_draft_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_with_prices(per_unit=2)

    def fail(self: PriceAmount, **_: Any) -> None:
        if PriceAmount.objects.count() == 4:
            raise RuntimeError("the machine died here")
        save(self)

    save = PriceAmount.save
    monkeypatch.setattr(PriceAmount, "save", fail)
    with pytest.raises(RuntimeError):
        start_draft(package=plan)
    assert (drafted_version(package=plan), plan.prices.count()) == (None, 3)


def test_an_archived_plan_keeps_its_subscriptions_and_comes_back_as_it_was() -> None:
    plan = plan_with_prices(version_number=3)
    subscription = SubscriptionFactory.create(plan=plan)

    archive(package=plan)
    plan.refresh_from_db()
    assert plan.status == PackageStatus.ARCHIVED
    subscription.refresh_from_db()
    assert (subscription.status, subscription.plan_version_number) == ("ACTIVE", 3)

    unarchive(package=plan)
    plan.refresh_from_db()
    assert (plan.status, plan.version_number) == (PackageStatus.PUBLISHED, 3)


def test_a_coupon_is_archived_once() -> None:
    coupon = CouponFactory.create(display_name="Spring")
    archive_coupon(coupon=coupon)
    coupon.refresh_from_db()
    assert coupon.status == CouponStatus.ARCHIVED
    with pytest.raises(ValidationError, match="Spring is archived already"):
        archive_coupon(coupon=coupon)
