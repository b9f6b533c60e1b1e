from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import pytest

from catalog.models import Addon, Plan, Price
from integrations.zuora.mapping.nodes import Body, ProductNode, RatePlanNode, TierNode, UnitNode
from integrations.zuora.mapping.package import package_tree
from integrations.zuora.mapping.tenant import Tenant
from tests.integrations.zuora.mapping import build
from tests.sdk_contract import check_body

ID = "8ad08ccf0000000000000000000000aa"


def tree(
    package: Plan | Addon,
    prices: Sequence[Price],
    *,
    generations: Mapping[str, int] | None = None,
    tenant: Tenant = build.TENANT,
    expired_on: date | None = None,
) -> ProductNode:
    node = package_tree(
        package,
        prices=prices,
        tenant=tenant,
        today=build.TODAY,
        generations=generations or {},
        expired_on=expired_on,
    )
    assert violations(node) == []
    return node


def violations(node: ProductNode) -> list[str]:
    """Hold every body of a tree against Zuora's own client."""
    found = check_body("POST", "/v1/object/product", node.body)
    found += check_body("PUT", f"/v1/object/product/{ID}", node.update)
    for rate_plan in node.rate_plans:
        found += check_body("POST", "/v1/object/product-rate-plan", {**rate_plan.body, "ProductId": ID})
        found += check_body("PUT", f"/v1/object/product-rate-plan/{ID}", rate_plan.update)
        for charge in rate_plan.charges:
            path = "/v1/object/product-rate-plan-charge"
            found += check_body("POST", path, {**charge.body, "ProductRatePlanId": ID})
            found += check_body("PUT", f"{path}/{ID}", {**charge.update, "ProductRatePlanId": ID})
            if charge.unit:
                found += check_body("POST", "/settings/units-of-measure", charge.unit.body)
    return found


def rate_plans_of(price: Price) -> tuple[RatePlanNode, ...]:
    owner = price.plan or price.addon
    assert owner is not None
    return tree(owner, [price]).rate_plans


def charge_of(price: Price) -> Body:
    """Return the body of the only charge of a plan with this price."""
    ((charge,),) = [rate_plan.charges for rate_plan in rate_plans_of(price)]
    return charge.body


def test_a_plan_is_a_product_with_a_rate_plan_per_period_and_a_charge_per_price() -> None:
    plan = build.plan(display_name="Basic", description="For beginners.")
    seats = build.feature("seats", display_name="Seats", units_plural="seats")
    prices = [
        build.price(plan, {"USD": "49.000000000", "EUR": "45.5"}),
        build.price(plan, {"EUR": "450"}, billing_period="ANNUALLY"),
        build.price(plan, {"EUR": "9"}, billing_model="PER_UNIT", feature=seats, min_unit_quantity=3),
    ]
    node = tree(plan, prices, tenant=build.FIELDS)
    assert (node.key, node.sku) == ("plan:basic", "stigg--plan--basic")
    assert node.body == {
        "Name": "Basic",
        "SKU": "stigg--plan--basic",
        "Category": "Base Products",
        "Description": "For beginners.",
        "EffectiveStartDate": "2020-01-01",
        "EffectiveEndDate": "2099-12-31",
        "stiggEntityUrl__c": "https://console.example/plans/basic/",
    }
    assert node.update == {
        "Name": "Basic",
        "Description": "For beginners.",
        "EffectiveEndDate": "2099-12-31",
        "stiggEntityUrl__c": "https://console.example/plans/basic/",
    }
    monthly, annual = node.rate_plans
    assert (monthly.key, monthly.number) == ("plan:basic/MONTHLY", "stigg--plan--basic--monthly")
    assert monthly.body == {
        "Name": "Monthly",
        "ProductRatePlanNumber": "stigg--plan--basic--monthly",
        "ActiveCurrencies": ["EUR", "USD"],
        "EffectiveStartDate": "2020-01-01",
        "EffectiveEndDate": "2099-12-31",
    }
    assert monthly.update == {"Name": "Monthly", "EffectiveEndDate": "2099-12-31"}
    assert annual.body["Name"] == "Annual"
    assert [charge.body["BillingPeriod"] for charge in annual.charges] == ["Annual"]
    fee, per_seat = monthly.charges
    assert fee.key == "plan:basic/MONTHLY/RECURRING/FLAT_FEE"
    assert fee.body == {
        "Name": "Flat fee",
        "ProductRatePlanChargeNumber": "stigg--plan--basic--monthly--recurring--flat_fee",
        "ChargeModel": "Flat Fee Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "TriggerEvent": "ContractEffective",
        "BillingPeriod": "Month",
        "ListPriceBase": "Per Billing Period",
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {
            "ProductRatePlanChargeTier": [
                {"Currency": "EUR", "Price": Decimal("45.5")},
                {"Currency": "USD", "Price": Decimal(49)},
            ]
        },
    }
    assert fee.tiers == (
        TierNode("EUR", None, "Price", Decimal("45.5")),
        TierNode("USD", None, "Price", Decimal(49)),
    )
    assert fee.unit is None
    assert per_seat.body == {
        "Name": "Seats",
        "ProductRatePlanChargeNumber": "stigg--plan--basic--monthly--recurring--per_unit--seats",
        "ChargeModel": "Per Unit Pricing",
        "ChargeType": "Recurring",
        "BillCycleType": "DefaultFromCustomer",
        "TriggerEvent": "ContractEffective",
        "BillingPeriod": "Month",
        "UOM": "seats",
        "ListPriceBase": "Per Billing Period",
        "DefaultQuantity": Decimal(3),
        "UseDiscountSpecificAccountingCode": False,
        "ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Currency": "EUR", "Price": Decimal(9)}]},
    }
    assert per_seat.unit == UnitNode(
        name="seats",
        body={
            "name": "seats",
            "displayAs": "seats",
            "precision": 8,
            "roundingMode": "Up",
            "active": True,
            "usageLogFileLabel": "seats",
        },
    )


def test_an_addon_is_a_product_of_the_other_category_and_namespace() -> None:
    addon = build.addon("basic")
    node = tree(addon, [build.price(addon, {"EUR": "5"})], tenant=build.FIELDS)
    assert (node.key, node.sku, node.body["Category"], node.body["stiggEntityUrl__c"]) == (
        "addon:basic",
        "stigg--addon--basic",
        "Add On Services",
        "https://console.example/addons/basic/",
    )


@pytest.mark.parametrize("pricing_type", ["FREE", "CUSTOM"])
def test_a_free_or_custom_priced_plan_has_no_rate_plans(pricing_type: str) -> None:
    plan = build.plan(pricing_type=pricing_type)
    assert tree(plan, [build.price(plan, {"EUR": "5"})]).rate_plans == ()


def test_no_description_is_left_out_at_first_and_emptied_later() -> None:
    node = tree(build.plan(), [])
    assert "Description" not in node.body
    assert node.update["Description"] == ""


def test_an_archived_plan_ends_today_and_its_rate_plans_with_it() -> None:
    plan = build.plan(status="ARCHIVED")
    node = tree(plan, [build.price(plan, {"EUR": "5"})])
    ends = [node.update["EffectiveEndDate"], *(rate_plan.update["EffectiveEndDate"] for rate_plan in node.rate_plans)]
    assert ends == ["2026-03-15", "2026-03-15"]


def test_an_archived_plan_keeps_the_day_on_which_it_ended() -> None:
    plan = build.plan(status="ARCHIVED")
    node = tree(plan, [build.price(plan, {"EUR": "5"})], expired_on=date(2026, 2, 1))
    ends = [node.update["EffectiveEndDate"], *(rate_plan.update["EffectiveEndDate"] for rate_plan in node.rate_plans)]
    assert ends == ["2026-02-01", "2026-02-01"]


def test_a_successor_has_its_own_numbers_and_name_and_the_same_keys() -> None:
    plan = build.plan()
    prices = [build.price(plan, {"EUR": "5"}), build.price(plan, {"EUR": "50"}, billing_period="ANNUALLY")]
    monthly, annual = tree(plan, prices, generations={"plan:basic/MONTHLY": 2}).rate_plans
    assert (monthly.key, monthly.number, monthly.body["Name"], monthly.update["Name"]) == (
        "plan:basic/MONTHLY",
        "stigg--plan--basic--monthly__g2",
        "Monthly (2)",
        "Monthly (2)",
    )
    assert [(charge.key, charge.number) for charge in monthly.charges] == [
        ("plan:basic/MONTHLY/RECURRING/FLAT_FEE", "stigg--plan--basic--monthly--recurring--flat_fee__g2")
    ]
    assert (annual.number, annual.body["Name"]) == ("stigg--plan--basic--annually", "Annual")
