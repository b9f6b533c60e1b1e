"""The catalog by Stigg's own client: what it sends is kept, and what we answer it can read."""

from decimal import Decimal
from typing import Any

import pytest
import stigg

from catalog.models import Addon, Feature, Plan, PriceAmount, Product
from integrations.models import SyncJob, SyncRecord, SyncStatus
from tests.factories.catalog import AddonFactory, FeatureFactory, PlanFactory, ProductFactory, plan_with_prices, price
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import NOON
from tests.integrations.api.shapes import DATES, MONTHLY_FLAT, plain
from usage.models import Meter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]

METER: Any = {
    "aggregation": {"function": "SUM", "field": "bytes"},
    "filters": [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "upload"}]}],
}
SETTINGS: Any = {
    "subscription_cancellation_time": "IMMEDIATE",
    "subscription_end_setup": "CANCEL_SUBSCRIPTION",
    "subscription_start_setup": "PLAN_SELECTION",
}


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
