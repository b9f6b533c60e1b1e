"""Plans and add-ons by Stigg's own client: drafted, priced, published and archived as it asks."""

from decimal import Decimal
from typing import Any

import pytest
import stigg

from catalog.models import Plan, Price, PriceAmount
from tests.factories.catalog import AddonFactory, FeatureFactory, ProductFactory
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.api.shapes import AT, DATES, MONTHLY_FLAT, plain

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]

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


class TestPlans:
    @pytest.fixture(autouse=True)
    def _product(self, db: None) -> None:
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
