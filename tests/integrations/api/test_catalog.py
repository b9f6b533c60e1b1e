"""The catalog by Stigg's own client: what it sends is kept, and what we answer it can read."""

from decimal import Decimal
from typing import Any

import pytest
import stigg

from catalog.models import Addon, Coupon, Feature, Plan, Price, PriceAmount, Product
from integrations.models import SyncJob, SyncRecord, SyncStatus
from tests.factories.catalog import AddonFactory, FeatureFactory, PlanFactory, ProductFactory, plan_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import NOON
from usage.models import Meter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]

AT = "2026-03-10T12:00:00Z"
DATES = {"createdAt": AT, "updatedAt": AT}
METER: Any = {
    "aggregation": {"function": "SUM", "field": "bytes"},
    "filters": [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "upload"}]}],
}
MONTHLY_FLAT: Any = {
    "billing_model": "FLAT_FEE",
    "price_periods": [
        {"billing_period": "MONTHLY", "price": {"amount": 49.99, "currency": "usd"}},
        {"billing_period": "MONTHLY", "price": {"amount": 45, "currency": "eur"}, "billing_country_code": "eu"},
        {"billing_period": "ANNUALLY", "price": {"amount": 500, "currency": "usd"}},
    ],
}
SEATS: Any = {
    "billing_model": "PER_UNIT",
    "feature_id": "seats",
    "tiers_mode": "GRADUATED",
    "min_unit_quantity": 1,
    "max_unit_quantity": 100,
    "price_periods": [
        {
            "billing_period": "MONTHLY",
            "tiers": [
                {"up_to": 10.0, "unit_price": {"amount": 5, "currency": "usd"}},
                {
                    "unit_price": {"amount": 4.5, "currency": "usd"},
                    "flat_price": {"amount": 20, "currency": "usd"},
                },
            ],
        }
    ],
}
SETTINGS: Any = {
    "subscription_cancellation_time": "IMMEDIATE",
    "subscription_end_setup": "CANCEL_SUBSCRIPTION",
    "subscription_start_setup": "PLAN_SELECTION",
}


def plain(model: Any) -> Any:
    return model.to_dict(mode="json")


class TestProducts:
    def test_a_product_is_made_and_read(self, client: stigg.Stigg) -> None:
        made = client.v1.products.create_product(
            id="app", display_name="App", description="All of it", metadata={"a": "b"}, multiple_subscriptions=True
        )

        assert plain(made.data) == DATES | {
            "id": "app",
            "displayName": "App",
            "description": "All of it",
            "status": "PUBLISHED",
            "multipleSubscriptions": True,
            "productSettings": {
                "subscriptionCancellationTime": "IMMEDIATE",
                "subscriptionEndSetup": "CANCEL_SUBSCRIPTION",
                "subscriptionStartSetup": "PLAN_SELECTION",
                "subscriptionStartPlanId": None,
                "downgradePlanId": None,
                "prorateAtEndOfBillingPeriod": None,
            },
            "metadata": {"a": "b"},
        }
        assert [one.id for one in client.v1.products.list_products()] == ["app"]

    def test_what_is_left_out_stays_and_null_clears(self, client: stigg.Stigg) -> None:
        product = ProductFactory.create(ref_id="app", description="Old", metadata={"a": "b"})

        client.v1.products.update_product("app", display_name="New")
        product.refresh_from_db()
        assert (product.display_name, product.description, product.metadata) == ("New", "Old", {"a": "b"})
        client.v1.products.update_product("app", description=None, metadata={"c": "d"})
        product.refresh_from_db()
        assert (product.display_name, product.description, product.metadata) == ("New", "", {"c": "d"})

    def test_its_settings_are_kept_as_a_whole(self, client: stigg.Stigg) -> None:
        PlanFactory.create(ref_id="free", pricing_type="FREE", product__ref_id="app")
        chosen: Any = SETTINGS | {
            "subscription_cancellation_time": "END_OF_BILLING_PERIOD",
            "subscription_end_setup": "DOWNGRADE_TO_FREE",
            "downgrade_plan_id": "free",
        }

        for settings, kept in ((chosen, chosen), (SETTINGS, SETTINGS | {"downgrade_plan_id": None})):
            changed = client.v1.products.update_product("app", product_settings=settings)
            told = changed.data.product_settings
            assert told is not None
            assert {name: getattr(told, name) for name in kept} == kept
            assert client.v1.products.list_products().data[0].product_settings is not None

        client.v1.products.update_product("app", product_settings=chosen)
        with pytest.raises(stigg.BadRequestError, match="is what customers of") as refused:
            client.v1.plans.archive("free")
        assert refused.value.body["code"] == "PlanIsUsedAsDowngradePlan"  # type: ignore[index]
        assert client.v1.products.archive_product("app").data.status == "ARCHIVED"

    @pytest.mark.parametrize(
        ("change", "status", "sentence"),
        [
            ({"subscription_start_setup": "TRIAL_PERIOD"}, 501, "subscriptionStartSetup TRIAL_PERIOD: no subscription"),
            ({"subscription_start_plan_id": "pro"}, 501, "subscriptionStartPlanId: no subscription begins by itself"),
            ({"prorate_at_end_of_billing_period": False}, 501, "prorateAtEndOfBillingPeriod: whether the rest"),
            ({"subscription_end_setup": "DOWNGRADE_TO_FREE"}, 400, "downgradePlanId goes with DOWNGRADE_TO_FREE"),
            (
                {"subscription_end_setup": "DOWNGRADE_TO_FREE", "downgrade_plan_id": "pro"},
                400,
                "Pro is no free plan of X that is on sale",
            ),
        ],
    )
    def test_settings_that_would_not_be_kept_are_refused_by_name(
        self, client: stigg.Stigg, change: Any, status: int, sentence: str
    ) -> None:
        PlanFactory.create(ref_id="pro", display_name="Pro", product__ref_id="app", product__display_name="App")

        with pytest.raises(stigg.APIStatusError, match=sentence) as refused:
            client.v1.products.update_product("app", display_name="X", product_settings=SETTINGS | change)

        assert refused.value.status_code == status
        assert Product.objects.get().display_name == "App"

    def test_archiving_takes_all_of_it_off_sale_and_unarchiving_only_the_product(self, client: stigg.Stigg) -> None:
        product = ProductFactory.create(ref_id="app")
        PlanFactory.create(ref_id="pro", product=product)
        PlanFactory.create(ref_id="next", product=product, status="DRAFT")
        AddonFactory.create(ref_id="seats", product=product)

        assert client.v1.products.archive_product("app").data.status == "ARCHIVED"
        assert dict(Plan.objects.values_list("ref_id", "status")) == {"pro": "ARCHIVED", "next": "DRAFT"}
        assert Addon.objects.get().status == "ARCHIVED"
        with pytest.raises(stigg.BadRequestError, match="unarchive the product first"):
            client.v1.plans.publish("next", migration_type="NEW_CUSTOMERS")
        assert client.v1.products.unarchive_product("app").data.status == "PUBLISHED"
        assert Plan.objects.get(ref_id="pro").status == "ARCHIVED"

    def test_a_copy_holds_drafts_of_what_is_on_sale(self, client: stigg.Stigg) -> None:
        product = ProductFactory.create(ref_id="app", description="All", multiple_subscriptions=True)
        plan = plan_with_prices(ref_id="pro", product=product, billing_id="P-1", amounts={"EUR": 10, "USD": 12})
        plan.compatible_addons.add(AddonFactory.create(ref_id="more", product=product, max_quantity=3))
        PlanFactory.create(ref_id="old", product=product, status="ARCHIVED")

        copy = client.v1.products.duplicate_product("app", target_id="emea", display_name="EMEA").data

        assert (copy.id, copy.display_name, copy.description, copy.multiple_subscriptions) == (
            "emea",
            "EMEA",
            "All",
            True,
        )
        [copied] = Plan.objects.filter(product__ref_id="emea")
        assert (copied.ref_id, copied.status, copied.version_number, copied.billing_id) == ("pro-emea", "DRAFT", 1, "")
        assert [addon.ref_id for addon in copied.compatible_addons.all()] == ["more-emea"]
        assert list(
            PriceAmount.objects.filter(price__plan=copied).values_list("currency", "amount").order_by("currency")
        ) == [("EUR", Decimal(10)), ("USD", Decimal(12))]
        assert PriceAmount.objects.filter(price__plan=plan).count() == 2

    def test_one_subscription_or_many_is_fixed_once_something_was_sold(self, client: stigg.Stigg) -> None:
        plan = PlanFactory.create(product__ref_id="app")
        assert client.v1.products.update_product("app", multiple_subscriptions=True).data.multiple_subscriptions
        SubscriptionFactory.create(plan=plan)

        client.v1.products.update_product("app", multiple_subscriptions=True)
        with pytest.raises(stigg.BadRequestError, match="has subscriptions"):
            client.v1.products.update_product("app", display_name="Changed?", multiple_subscriptions=False)
        assert Product.objects.get().display_name != "Changed?"


class TestFeatures:
    def test_a_metered_feature_is_made_with_its_meter(self, client: stigg.Stigg) -> None:
        made = client.v1.features.create_feature(
            id="storage",
            display_name="Storage",
            feature_type="NUMBER",
            feature_units="byte",
            feature_units_plural="bytes",
            meter_type="INCREMENTAL",
            meter=METER,
        )

        expected = DATES | {
            "id": "storage",
            "displayName": "Storage",
            "description": None,
            "featureType": "NUMBER",
            "featureStatus": "ACTIVE",
            "featureUnits": "byte",
            "featureUnitsPlural": "bytes",
            "meterType": "INCREMENTAL",
            "meter": {
                "aggregation": {"function": "SUM", "field": "bytes"},
                "filters": [
                    {"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "upload", "values": None}]}
                ],
            },
            "enumConfiguration": None,
            "metadata": {},
        }
        assert plain(made.data) == expected
        assert plain(client.v1.features.retrieve_feature("storage").data) == expected
        assert (Meter.objects.get().aggregation, Feature.objects.get().meter_type) == ("SUM", "INCREMENTAL")

    def test_what_an_enum_can_be_is_kept(self, client: stigg.Stigg) -> None:
        made = client.v1.features.create_feature(
            id="tier",
            display_name="Tier",
            feature_type="ENUM",
            enum_configuration=[{"value": "gold", "display_name": "Gold"}],
        )

        assert [one.to_dict() for one in made.data.enum_configuration or ()] == [
            {"value": "gold", "displayName": "Gold"}
        ]
        assert made.data.meter_type == "None"

    def test_a_meter_is_replaced_as_a_whole(self, client: stigg.Stigg) -> None:
        FeatureFactory.create(ref_id="storage", meter_type="INCREMENTAL")
        client.v1.features.update_feature("storage", meter=METER)
        client.v1.features.update_feature("storage", meter={"aggregation": {"function": "COUNT"}, "filters": []})

        assert list(Meter.objects.values_list("aggregation", "field", "filters")) == [("COUNT", "", [])]

    def test_what_counts_nothing_has_no_meter(self, client: stigg.Stigg) -> None:
        with pytest.raises(stigg.BadRequestError, match="is not metered"):
            client.v1.features.create_feature(id="sso", display_name="SSO", feature_type="BOOLEAN", meter=METER)
        assert Feature.objects.count() == 0

    def test_a_feature_is_archived_and_unarchived(self, client: stigg.Stigg) -> None:
        FeatureFactory.create(ref_id="seats")

        assert client.v1.features.archive_feature("seats").data.feature_status == "SUSPENDED"
        assert client.v1.features.unarchive_feature("seats").data.feature_status == "ACTIVE"

    def test_a_feature_that_is_sold_stays(self, client: stigg.Stigg) -> None:
        price(PlanFactory.create(), billing_model="PER_UNIT", feature=FeatureFactory.create(ref_id="seats"))

        with pytest.raises(stigg.BadRequestError, match="is counted by a charge of"):
            client.v1.features.archive_feature("seats")

    def test_the_list_is_filtered(self, client: stigg.Stigg) -> None:
        FeatureFactory.create(ref_id="seats", meter_type="FLUCTUATING")
        FeatureFactory.create(ref_id="calls", meter_type="INCREMENTAL")
        FeatureFactory.create(ref_id="sso", feature_type="BOOLEAN", status="SUSPENDED")

        def ids(**asked: Any) -> list[str]:
            return [one.id for one in client.v1.features.list_features(**asked)]

        assert ids() == ["seats", "calls", "sso"]
        assert ids(meter_type=["FLUCTUATING", "None"]) == ["seats", "sso"]
        assert ids(feature_type=["NUMBER"], status=["ACTIVE"]) == ["seats", "calls"]
        assert ids(id="calls") == ["calls"]
        assert ids(created_at={"gte": NOON, "lte": NOON}) == ["seats", "calls", "sso"]
        assert ids(created_at={"gt": NOON}) == []


class TestCoupons:
    def test_a_percentage(self, client: stigg.Stigg) -> None:
        made = client.v1.coupons.create(
            id="spring",
            name="Spring",
            percent_off=20,
            amounts_off=None,
            description=None,
            duration_in_months=3,
            metadata=None,
        )

        assert plain(made.data) == DATES | {
            "id": "spring",
            "name": "Spring",
            "type": "PERCENTAGE",
            "description": None,
            "percentOff": 20,
            "amountsOff": None,
            "durationInMonths": 3,
            "status": "ACTIVE",
            "source": "STIGG",
            "metadata": {},
            "billingId": None,
            "billingLinkUrl": None,
            "syncStates": [],
        }

    def test_amounts(self, client: stigg.Stigg) -> None:
        made = client.v1.coupons.create(
            id="ten",
            name="Ten",
            percent_off=None,
            amounts_off=[{"amount": 10.5, "currency": "usd"}, {"amount": 9, "currency": "eur"}],
            description="Off",
            duration_in_months=None,
            metadata={"a": "b"},
        )

        assert [one.to_dict() for one in made.data.amounts_off or ()] == [
            {"amount": 9, "currency": "eur"},
            {"amount": 10.5, "currency": "usd"},
        ]
        assert client.v1.coupons.retrieve("ten").data == made.data

    def test_what_it_takes_off_never_changes(self, client: stigg.Stigg, coupon: Coupon) -> None:
        changed = client.v1.coupons.update_coupon("spring", name="Summer", metadata={"c": "d"})

        assert (changed.data.name, changed.data.metadata) == ("Summer", {"c": "d"})
        with pytest.raises(stigg.BadRequestError, match="percentOff: what a coupon takes off cannot be changed"):
            client.v1.coupons.update_coupon("spring", extra_body={"percentOff": 50})
        coupon.refresh_from_db()
        assert coupon.percent_off == 10

    def test_it_is_archived_once(self, client: stigg.Stigg, coupon: Coupon) -> None:
        assert client.v1.coupons.archive_coupon("spring").data.status == "ARCHIVED"
        with pytest.raises(stigg.BadRequestError, match="archived already"):
            client.v1.coupons.archive_coupon(coupon.ref_id)
        assert [one.id for one in client.v1.coupons.list(status=["ARCHIVED"], type="PERCENTAGE")] == ["spring"]
        assert [one.id for one in client.v1.coupons.list(status=["ACTIVE"])] == []

    @pytest.fixture
    def coupon(self, client: stigg.Stigg) -> Coupon:
        client.v1.coupons.create(
            id="spring",
            name="Spring",
            percent_off=10,
            amounts_off=None,
            description=None,
            duration_in_months=None,
            metadata=None,
        )
        return Coupon.objects.get()


class TestPlans:
    @pytest.fixture(autouse=True)
    def _product(self, db: None) -> None:  # noqa: ARG002
        ProductFactory.create(ref_id="app")
        FeatureFactory.create(ref_id="seats")

    def pro(self, client: stigg.Stigg, *models: Any) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        client.v1.plans.update("pro", charges={"pricing_type": "PAID", "pricing_models": list(models)})
        client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")

    def test_a_plan_begins_as_a_draft(self, client: stigg.Stigg) -> None:
        made = client.v1.plans.create(
            id="pro", display_name="Pro", product_id="app", billing_id="P-1", metadata={"a": "b"}
        )

        assert plain(made.data) == DATES | {
            "id": "pro",
            "productId": "app",
            "displayName": "Pro",
            "description": None,
            "pricingType": None,
            "status": "DRAFT",
            "versionNumber": 1,
            "isLatest": True,
            "draftVersionNumber": 1,
            "entitlements": [],
            "compatibleAddonIds": [],
            "defaultTrialConfig": None,
            "parentPlanId": None,
            "metadata": {"a": "b"},
            "billingId": "P-1",
            "billingLinkUrl": None,
            "syncStates": [],
        }
        with pytest.raises(stigg.BadRequestError, match="has no pricing type"):
            client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")

    def test_charges_are_set_published_and_read_back(self, client: stigg.Stigg) -> None:
        self.pro(client, MONTHLY_FLAT, SEATS)

        assert client.v1.plans.retrieve("pro").data.status == "PUBLISHED"
        found = [plain(one) for one in client.v1.plans.list_charges("pro")]
        assert [
            (one["billingModel"], one["billingPeriod"], one["billingCountryCode"], one["price"]) for one in found
        ] == [
            ("FLAT_FEE", "MONTHLY", None, {"amount": 49.99, "currency": "usd"}),
            ("FLAT_FEE", "MONTHLY", "eu", {"amount": 45, "currency": "eur"}),
            ("FLAT_FEE", "ANNUALLY", None, {"amount": 500, "currency": "usd"}),
            ("PER_UNIT", "MONTHLY", None, None),
        ]
        assert found[-1] == {
            "id": str(PriceAmount.objects.get(price__feature__isnull=False).pk),
            "billingModel": "PER_UNIT",
            "billingCadence": "RECURRING",
            "billingPeriod": "MONTHLY",
            "billingCountryCode": None,
            "featureId": "seats",
            "price": None,
            "tiersMode": "GRADUATED",
            "tiers": [
                {"upTo": 10, "unitPrice": {"amount": 5, "currency": "usd"}, "flatPrice": None},
                {
                    "upTo": None,
                    "unitPrice": {"amount": 4.5, "currency": "usd"},
                    "flatPrice": {"amount": 20, "currency": "usd"},
                },
            ],
            "blockSize": None,
            "minUnitQuantity": 1,
            "maxUnitQuantity": 100,
            "billingId": None,
            "createdAt": AT,
        }
        assert PriceAmount.objects.get(currency="USD", amount__lt=100).amount == Decimal("49.99")

    def test_a_draft_holds_changes_until_it_is_published(self, client: stigg.Stigg) -> None:
        self.pro(client, MONTHLY_FLAT)
        subscription = SubscriptionFactory.create(plan=Plan.objects.get())
        before = list(Price.objects.filter(version_number=1).values())

        draft = client.v1.plans.create_draft("pro").data
        assert (draft.status, draft.version_number, draft.is_latest) == ("DRAFT", 2, True)
        client.v1.plans.update("pro", charges={"pricing_type": "PAID", "pricing_models": [SEATS]})
        on_sale = client.v1.plans.retrieve("pro").data
        assert (on_sale.status, on_sale.version_number, on_sale.is_latest) == ("PUBLISHED", 1, False)
        assert len(list(client.v1.plans.list_charges("pro"))) == 3
        assert len(list(client.v1.plans.list_charges("pro", extra_query={"versionNumber": 2}))) == 1

        client.v1.plans.publish("pro", migration_type="ALL_CUSTOMERS")
        assert client.v1.plans.retrieve("pro").data.version_number == 2
        subscription.refresh_from_db()
        assert subscription.plan_version_number == 1
        assert list(Price.objects.filter(version_number=1).values()) == before

    def test_what_is_on_sale_is_not_changed_without_a_draft(self, client: stigg.Stigg) -> None:
        self.pro(client, MONTHLY_FLAT)

        with pytest.raises(stigg.ConflictError) as refused:
            client.v1.plans.update("pro", display_name="X", charges={"pricing_type": "PAID", "pricing_models": [SEATS]})
        assert refused.value.body["code"] == "EditAllowedOnDraftPackageOnlyError"  # type: ignore[index]
        assert Plan.objects.get().display_name == "Pro"

    def test_a_draft_is_removed(self, client: stigg.Stigg) -> None:
        self.pro(client, MONTHLY_FLAT)
        client.v1.plans.create_draft("pro")

        assert client.v1.plans.remove_draft("pro").data.id == "pro"
        assert (Plan.objects.get().version_number, Price.objects.filter(version_number=2).count()) == (1, 0)
        with pytest.raises(stigg.BadRequestError, match="has no draft to remove"):
            client.v1.plans.remove_draft("pro")

    def test_a_draft_that_was_never_on_sale_goes_with_its_plan(self, client: stigg.Stigg) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        client.v1.plans.remove_draft("pro")

        assert Plan.objects.count() == 0

    def test_a_linked_charge_stays_linked_when_the_charges_are_set_again(self, client: stigg.Stigg) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        charges: Any = {"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT]}
        client.v1.plans.update("pro", charges=charges)
        Price.objects.filter(billing_period="MONTHLY").update(billing_id="C-1")
        client.v1.plans.update("pro", charges=charges)

        assert sorted(Price.objects.values_list("billing_period", "billing_id")) == [
            ("ANNUALLY", ""),
            ("MONTHLY", "C-1"),
        ]

    def test_addons_are_listed_and_replaced_as_a_whole(self, client: stigg.Stigg) -> None:
        for name in ("a", "b"):
            AddonFactory.create(ref_id=name)
        self.pro(client, MONTHLY_FLAT)

        client.v1.plans.update("pro", compatible_addon_ids=["a", "b"])
        assert client.v1.plans.update("pro", compatible_addon_ids=["b"]).data.compatible_addon_ids == ["b"]
        with pytest.raises(stigg.NotFoundError, match="No add-on has the id 'c'"):
            client.v1.plans.update("pro", display_name="X", compatible_addon_ids=["c"])
        assert Plan.objects.get().display_name == "Pro"

    def test_it_is_archived(self, client: stigg.Stigg) -> None:
        self.pro(client, MONTHLY_FLAT)

        assert client.v1.plans.archive("pro").data.status == "ARCHIVED"
        assert [one.id for one in client.v1.plans.list(product_id="app", status=["ARCHIVED", "DRAFT"])] == ["pro"]
        assert [one.id for one in client.v1.plans.list(product_id="other")] == []

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"overage_billing_period": "MONTHLY"}, "overageBillingPeriod: overage charges are not kept here"),
            ({"pricing_models": [SEATS | {"reset_period": "MONTH"}]}, "resetPeriod: usage is billed by"),
            ({"pricing_models": [SEATS | {"billing_model": "CREDIT_BASED"}]}, "billingModel CREDIT_BASED: credits"),
        ],
    )
    def test_what_has_no_place_is_refused_and_not_dropped(
        self, client: stigg.Stigg, change: Any, sentence: str
    ) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        charges: Any = {"pricing_type": "PAID", "pricing_models": [SEATS]} | change

        with pytest.raises(stigg.InternalServerError, match=sentence) as refused:
            client.v1.plans.update("pro", charges=charges)

        assert refused.value.status_code == 501
        assert Price.objects.count() == 0

    @pytest.mark.parametrize(
        ("models", "sentence"),
        [
            ([MONTHLY_FLAT, MONTHLY_FLAT], "There are two charges FLAT_FEE, RECURRING MONTHLY"),
            ([SEATS | {"tiers_mode": "VOLUME", "feature_id": "nothing"}], "No feature has the id 'nothing'"),
            ([{**SEATS, "price_periods": [{"billing_period": "MONTHLY"}]}], "this one has no price"),
            ([{**MONTHLY_FLAT, "feature_id": "seats"}], "A flat fee has no feature"),
            ([{k: v for k, v in SEATS.items() if k != "tiers_mode"}], "There are tiers, but no tiers mode"),
            (
                [
                    {
                        "billing_model": "USAGE_BASED",
                        "feature_id": "seats",
                        "price_periods": [{"billing_period": "ANNUALLY", "price": {"amount": 1, "currency": "usd"}}],
                    }
                ],
                "Usage is billed only where MONTHLY is the sole billing period",
            ),
        ],
    )
    def test_charges_that_are_not_sound_are_refused_and_nothing_changes(
        self, client: stigg.Stigg, models: Any, sentence: str
    ) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        client.v1.plans.update("pro", charges={"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT]})
        before = list(PriceAmount.objects.order_by("pk").values())

        with pytest.raises(stigg.APIStatusError, match=sentence) as refused:
            client.v1.plans.update("pro", display_name="X", charges={"pricing_type": "PAID", "pricing_models": models})

        assert refused.value.status_code in {400, 404}
        assert list(PriceAmount.objects.order_by("pk").values()) == before
        assert Plan.objects.get().display_name == "Pro"

    def test_its_default_trial_is_kept_as_a_whole(self, client: stigg.Stigg) -> None:
        made = client.v1.plans.create(
            id="pro", display_name="Pro", product_id="app", default_trial_config={"duration": 14.0, "units": "DAY"}
        )
        assert plain(made.data)["defaultTrialConfig"] == {
            "duration": 14,
            "units": "DAY",
            "budget": None,
            "trialEndBehavior": "CONVERT_TO_PAID",
        }
        client.v1.plans.update("pro", display_name="Professional")
        trial: Any = {"duration": 2, "units": "MONTH", "trial_end_behavior": "CANCEL_SUBSCRIPTION"}
        changed = client.v1.plans.update("pro", default_trial_config=trial).data.default_trial_config
        assert changed is not None
        assert (changed.duration, changed.units, changed.trial_end_behavior) == (2, "MONTH", "CANCEL_SUBSCRIPTION")
        assert client.v1.plans.update("pro", default_trial_config=None).data.default_trial_config is None

    @pytest.mark.parametrize(
        ("change", "status", "sentence"),
        [
            ({"units": "DAY", "duration": 0}, 400, "defaultTrialConfig.duration: "),
            ({"units": "DAY", "duration": 1001}, 400, "defaultTrialConfig.duration: "),
            ({"units": "DAY", "duration": 1.5}, 400, "defaultTrialConfig.duration: it is no whole number"),
            ({"units": "WEEK", "duration": 1}, 400, "defaultTrialConfig.units: "),
            ({"units": "DAY", "duration": 1, "budget": {"limit": 5, "has_soft_limit": True}}, 501, "budget: spending"),
        ],
    )
    def test_a_trial_that_cannot_be_is_refused(
        self, client: stigg.Stigg, change: Any, status: int, sentence: str
    ) -> None:
        PlanFactory.create(ref_id="pro", display_name="Pro")

        with pytest.raises(stigg.APIStatusError, match=sentence) as refused:
            client.v1.plans.update("pro", display_name="X", default_trial_config=change)

        assert refused.value.status_code == status
        assert Plan.objects.get().display_name == "Pro"

    def test_what_is_free_has_no_trial(self, client: stigg.Stigg) -> None:
        trial: Any = {"duration": 14, "units": "DAY"}
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app", default_trial_config=trial)

        with pytest.raises(stigg.BadRequestError, match="A free plan has no trial"):
            client.v1.plans.update("pro", charges={"pricing_type": "FREE"})
        client.v1.plans.create(id="free", display_name="Free", product_id="app", pricing_type="FREE")
        with pytest.raises(stigg.BadRequestError, match="A free plan has no trial"):
            client.v1.plans.update("free", default_trial_config=trial)

    def test_its_parent_is_kept_and_told(self, client: stigg.Stigg) -> None:
        client.v1.plans.create(id="basic", display_name="Basic", product_id="app", pricing_type="FREE")
        made = client.v1.plans.create(id="pro", display_name="Pro", product_id="app", parent_plan_id="basic")
        assert made.data.parent_plan_id == "basic"
        client.v1.plans.create(id="top", display_name="Top", product_id="app", parent_plan_id="pro")

        refusals: dict[str, Any] = {
            "PlansCircularDependencyError": lambda: client.v1.plans.update("basic", parent_plan_id="top"),
            "PlanWithChildCantBeDeleted": lambda: client.v1.plans.remove_draft("basic"),
            "PlanNotFound": lambda: client.v1.plans.update("pro", parent_plan_id="none"),
        }
        for code, call in refusals.items():
            with pytest.raises(stigg.APIStatusError) as refused:
                call()
            assert refused.value.body["code"] == code  # type: ignore[index]
        assert list(Plan.objects.values_list("ref_id", "parent__ref_id")) == [
            ("basic", None),
            ("pro", "basic"),
            ("top", "pro"),
        ]
        assert client.v1.plans.update("pro", parent_plan_id=None).data.parent_plan_id is None

    def test_a_child_is_published_after_its_parent(self, client: stigg.Stigg) -> None:
        client.v1.plans.create(id="basic", display_name="Basic", product_id="app", pricing_type="FREE")
        client.v1.plans.create(
            id="pro", display_name="Pro", product_id="app", pricing_type="CUSTOM", parent_plan_id="basic"
        )

        with pytest.raises(stigg.BadRequestError, match="Pro inherits from Basic, which is a draft") as refused:
            client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")
        assert refused.value.body["code"] == "PlanCannotBePublishWhenBasePlanIsDraft"  # type: ignore[index]
        client.v1.plans.publish("basic", migration_type="NEW_CUSTOMERS")
        client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")

    def test_a_minimum_spend_is_kept_and_told(self, client: stigg.Stigg) -> None:
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        least: Any = [
            {"billing_period": "MONTHLY", "minimum": {"amount": 100, "currency": "usd"}},
            {"billing_period": "MONTHLY", "minimum": {"amount": 90.5, "currency": "eur"}},
        ]
        client.v1.plans.update(
            "pro", charges={"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT], "minimum_spend": least}
        )
        client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")

        told = [plain(one) for one in client.v1.plans.list_charges("pro")]
        assert [(one["billingPeriod"], one["price"]) for one in told if one["billingModel"] == "MINIMUM_SPEND"] == [
            ("MONTHLY", {"amount": 100, "currency": "usd"}),
            ("MONTHLY", {"amount": 90.5, "currency": "eur"}),
        ]


class TestAddons:
    def test_an_addon_goes_the_same_way(self, client: stigg.Stigg) -> None:
        ProductFactory.create(ref_id="app")

        made = client.v1.addons.create(id="more", display_name="More", product_id="app", max_quantity=5)
        assert (made.data.status, made.data.max_quantity) == ("DRAFT", 5)
        client.v1.addons.update(
            "more",
            max_quantity=None,
            billing_id="P-9",
            charges={"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT]},
        )
        client.v1.addons.publish("more", migration_type="NEW_CUSTOMERS")
        found = client.v1.addons.retrieve("more").data
        assert (found.status, found.version_number, found.max_quantity, found.billing_id, found.pricing_type) == (
            "PUBLISHED",
            1,
            None,
            "P-9",
            "PAID",
        )
        assert client.v1.addons.create_draft("more").data.version_number == 2
        assert client.v1.addons.remove_draft("more").data.id == "more"
        assert len(list(client.v1.addons.list_charges("more"))) == 3
        assert [one.id for one in client.v1.addons.list()] == ["more"]
        assert client.v1.addons.archive("more").data.status == "ARCHIVED"

    def test_what_it_needs_is_kept_as_a_whole(self, client: stigg.Stigg) -> None:
        for name in ("phone", "support", "chat"):
            AddonFactory.create(ref_id=name, display_name=name.title())

        client.v1.addons.update("phone", dependencies=["support", "chat"])
        assert client.v1.addons.update("phone", display_name="Telephone").data.dependencies == ["chat", "support"]
        assert client.v1.addons.list().data[0].dependencies == ["chat", "support"]
        with pytest.raises(stigg.BadRequestError, match="Telephone cannot need itself"):
            client.v1.addons.update("phone", dependencies=["phone"])
        with pytest.raises(stigg.NotFoundError, match="No add-on has the id 'none'"):
            client.v1.addons.update("phone", dependencies=["none"])
        assert client.v1.addons.update("phone", dependencies=[]).data.dependencies == []

    def test_its_status_is_changed_by_publishing_and_archiving(self, client: stigg.Stigg) -> None:
        AddonFactory.create(ref_id="more")

        client.v1.addons.update("more", status="PUBLISHED")
        with pytest.raises(stigg.BadRequestError, match="publish or archive it"):
            client.v1.addons.update("more", status="ARCHIVED")


class TestSyncStates:
    @pytest.mark.usefixtures("connection")
    def test_a_plan_tells_where_it_stands_in_zuora(self, client: stigg.Stigg) -> None:
        plan = plan_with_prices(ref_id="pro")
        [waiting] = plain(client.v1.plans.retrieve("pro").data)["syncStates"]
        assert waiting == {"vendorIdentifier": "ZUORA", "status": "PENDING", "syncedEntityId": None, "error": None}
        SyncRecord.objects.filter(root_id=plan.pk).update(status=SyncStatus.SUCCESS, zuora_id="8ad0")

        told = plain(client.v1.plans.retrieve("pro").data)

        assert told["syncStates"] == [
            {"vendorIdentifier": "ZUORA", "status": "SUCCESS", "syncedEntityId": "8ad0", "error": None}
        ]
        assert told["billingId"] == "8ad0"
        assert told["billingLinkUrl"].endswith("8ad0")

    @pytest.mark.usefixtures("connection")
    def test_what_is_published_is_pushed_and_what_is_drafted_is_not(self, client: stigg.Stigg) -> None:
        ProductFactory.create(ref_id="app")
        client.v1.plans.create(id="pro", display_name="Pro", product_id="app")
        client.v1.plans.update("pro", charges={"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT]})
        assert SyncJob.objects.count() == 0

        client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")

        assert list(SyncJob.objects.values_list("key", flat=True)) == ["plan:pro"]


def test_an_id_is_taken_once(client: stigg.Stigg) -> None:
    ProductFactory.create(ref_id="app")

    with pytest.raises(stigg.ConflictError) as refused:
        client.v1.products.create_product(id="app", display_name="Again")

    assert refused.value.body["code"] == "DuplicatedEntityNotAllowed"  # type: ignore[index]
    assert Product.objects.get().display_name != "Again"


def test_customers_are_nothing_of_the_catalog(client: stigg.Stigg) -> None:
    CustomerFactory.create(ref_id="acme")

    with pytest.raises(stigg.NotFoundError):
        client.v1.plans.retrieve("acme")
