from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import Driver, charge_body, flat_catalog, usd

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn

PRODUCT = {"Name": "Basic", "EffectiveStartDate": "2026-01-01", "EffectiveEndDate": "2030-01-01"}


def test_a_product_is_read_back_as_it_was_sent(zuora: Driver) -> None:
    sent = PRODUCT | {
        "SKU": "basic",
        "ProductNumber": "p-1",
        "Category": "Base Products",
        "stiggEntityUrl__c": "https://x.example/1",
    }
    product = zuora.made("/v1/object/product?rejectUnknownFields=true", sent)
    read = zuora.get(f"/v1/object/product/{product}")
    assert {name: read[name] for name in sent} == sent
    assert read["Id"] == product


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"Name": None}, ["MISSING_REQUIRED_VALUE"]),
        ({"Name": "x" * 101}, ["INVALID_VALUE"]),
        ({"Name": 7}, ["INVALID_VALUE"]),
        ({"Category": "Things"}, ["INVALID_VALUE"]),
        ({"EffectiveStartDate": "01/02/2026"}, ["INVALID_VALUE"]),
        ({"EffectiveStartDate": "2026-02-30"}, ["INVALID_VALUE"]),
        ({"EffectiveEndDate": "2025-01-01"}, ["INVALID_VALUE"]),
        ({"Name": None, "SKU": "y" * 51}, ["INVALID_VALUE", "MISSING_REQUIRED_VALUE"]),
    ],
)
def test_a_wrong_product_is_refused_with_every_reason(zuora: Driver, change: dict[str, Any], codes: list[str]) -> None:
    reply = zuora.call("POST", "/v1/object/product", PRODUCT | change)
    assert (reply.status, reply.body["Success"], reply.crud_codes) == (400, False, codes)


def test_a_sku_is_unique_and_free_again_after_deletion(zuora: Driver) -> None:
    first = zuora.product("basic")
    assert zuora.call("POST", "/v1/object/product", PRODUCT | {"SKU": "basic"}).crud_codes == ["DUPLICATE_VALUE"]
    assert zuora.call("DELETE", f"/v1/object/product/{first}").body == {"success": True, "id": first}
    assert zuora.product("basic") != first


def test_unknown_fields_are_ignored_or_refused(zuora: Driver) -> None:
    body = PRODUCT | {"Colour": "red", "unknown__c": "x"}
    product = zuora.made("/v1/object/product", body)
    assert {"Colour", "unknown__c"}.isdisjoint(zuora.get(f"/v1/object/product/{product}"))
    reply = zuora.call("POST", "/v1/object/product?rejectUnknownFields=true", body)
    assert (reply.status, reply.body) == (400, {"message": "Error - unrecognised fields"})


def test_a_custom_field_that_the_tenant_lacks_is_unknown(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(custom_fields={})
    body = PRODUCT | {"stiggEntityUrl__c": "https://x.example"}
    assert zuora.call("POST", "/v1/object/product?rejectUnknownFields=true", body).status == 400
    assert "stiggEntityUrl__c" not in zuora.get(f"/v1/object/product/{zuora.made('/v1/object/product', body)}")


def test_numbers_of_our_own_need_the_wsdl_version(zuora: Driver) -> None:
    reply = zuora.call("POST", "/v1/object/product", PRODUCT | {"ProductNumber": "mine"}, X_Zuora_WSDL_Version="79")
    assert zuora.get(f"/v1/object/product/{reply.body['Id']}")["ProductNumber"] == "PC-00000001"


def test_an_unknown_id_reads_as_nothing(zuora: Driver) -> None:
    nothing = {"records": {}, "size": 0, "done": True}
    for method in ("GET", "PUT", "DELETE"):
        reply = zuora.call(method, "/v1/object/product/none", {} if method == "PUT" else None)
        assert (reply.status, reply.body) == (404, nothing)


def test_a_plan_name_is_unique_within_its_product_only(zuora: Driver) -> None:
    first, second = zuora.product("one"), zuora.product("two")
    zuora.plan(first, "n-1", Name="Monthly")
    zuora.plan(second, "n-2", Name="Monthly")
    body = {"Name": "Monthly", "ProductId": first}
    assert zuora.call("POST", "/v1/object/product-rate-plan", body).crud_codes == ["DUPLICATE_VALUE"]


def test_a_plan_lies_within_its_product_and_expires_first(zuora: Driver) -> None:
    product = zuora.product()
    plan = zuora.plan(product)
    end = {"EffectiveEndDate": "2026-06-01"}
    assert zuora.call("PUT", f"/v1/object/product/{product}", end).status == 400
    assert zuora.call("PUT", f"/v1/object/product-rate-plan/{plan}", end).status == 200
    assert zuora.call("PUT", f"/v1/object/product/{product}", end).status == 200


def test_currencies_come_as_a_list_or_a_text_and_at_most_four_at_once(zuora: Driver) -> None:
    product = zuora.product()
    plan = zuora.plan(product, ActiveCurrencies="EUR, GBP")
    assert zuora.get(f"/v1/object/product-rate-plan/{plan}")["ActiveCurrencies"] == ["USD", "EUR", "GBP"]
    many = {"ActiveCurrencies": ["USD", "CAD", "AUD", "JPY"]}
    assert zuora.call("PUT", f"/v1/object/product-rate-plan/{plan}", many).status == 400
    assert zuora.call("PUT", f"/v1/object/product-rate-plan/{plan}", {"ActiveCurrencies": ["XXX"]}).status == 400
    assert (
        zuora.call("PUT", f"/v1/object/product-rate-plan/{plan}", {"ActiveCurrencies": ["USD", "EUR", "CAD"]}).status
        == 200
    )


def test_a_charge_keeps_one_tier_for_each_currency(zuora: Driver) -> None:
    plan = zuora.plan(zuora.product(), ActiveCurrencies=["EUR"])
    charge = zuora.charge(plan, "fee", [usd("19.99"), {"Currency": "EUR", "Price": 18}])
    query = f"/object-query/product-rate-plan-charge-tiers?filter[]=productrateplanchargeid.EQ:{charge}"
    tiers = [(tier["currency"], str(tier["price"])) for tier in zuora.get(query)["data"]]
    assert tiers == [("USD", "19.99"), ("EUR", "18")]
    nested = zuora.get(f"/v1/object/product-rate-plan-charge/{charge}")["ProductRatePlanChargeTierData"]
    assert [tier["Currency"] for tier in nested["ProductRatePlanChargeTier"]] == ["EUR", "USD"]


TIERS = [usd(1, StartingUnit=0, EndingUnit=10), usd(2, StartingUnit=11, EndingUnit=20), usd(3, StartingUnit=21)]
TIERED = {"ChargeModel": "Tiered Pricing", "UOM": "calls"}


@pytest.mark.parametrize(
    "broken",
    [
        [TIERS[1]],
        [TIERS[0], TIERS[2]],
        [TIERS[0] | {"EndingUnit": 15}, TIERS[1]],
        [TIERS[0] | {"EndingUnit": None}, TIERS[1]],
        [TIERS[0] | {"Price": None}],
        [TIERS[0] | {"Price": -1}],
        [{"Price": 1}],
        [TIERS[0] | {"Currency": "EUR"}],
        [],
    ],
)
def test_tiers_are_contiguous_priced_and_in_an_active_currency(zuora: Driver, broken: list[dict[str, Any]]) -> None:
    zuora.unit()
    plan = zuora.plan(zuora.product())
    reply = zuora.call("POST", "/v1/object/product-rate-plan-charge", charge_body(plan, "t", broken, **TIERED))
    assert (reply.status, reply.body["Success"]) == (400, False)
    assert zuora.app.control.rows("ProductRatePlanCharge") == []
    zuora.charge(plan, "t", TIERS, **TIERED)


@pytest.mark.parametrize(
    "change",
    [
        {"ChargeModel": "Per Unit Pricing", "UOM": "calls"},
        {"ChargeModel": "Per Unit Pricing", "UOM": "parsecs", "DefaultQuantity": 1},
        {"ChargeModel": "Per Unit Pricing", "DefaultQuantity": 1},
        {"ChargeModel": "Delivery Pricing"},
        {"BillCycleType": "SpecificDayofMonth"},
        {"BillingPeriod": "Specific Months"},
        {"EndDateCondition": "FixedPeriod"},
        {"ChargeType": "OneTime"},
        {"ChargeType": "Usage", "BillingTiming": "In Arrears"},
        {"ChargeModel": "Discount-Percentage"},
        {"Taxable": True},
        {"BillCycleType": "Someday"},
    ],
)
def test_a_charge_that_does_not_fit_together_is_refused(zuora: Driver, change: dict[str, Any]) -> None:
    zuora.unit()
    plan = zuora.plan(zuora.product())
    reply = zuora.call("POST", "/v1/object/product-rate-plan-charge", charge_body(plan, "c", [usd(1)], **change))
    assert (reply.status, reply.body["Success"]) == (400, False)


def test_a_one_time_charge_has_no_billing_period(zuora: Driver) -> None:
    plan = zuora.plan(zuora.product())
    charge = zuora.charge(plan, "setup", [usd(50)], ChargeType="OneTime", BillingPeriod=None)
    assert "BillingPeriod" not in zuora.get(f"/v1/object/product-rate-plan-charge/{charge}")


def test_an_update_of_a_charge_sends_the_whole_charge_unless_the_tenant_takes_parts(zuora: Driver) -> None:
    _, plan, charge = flat_catalog(zuora)
    path, part = f"/v1/object/product-rate-plan-charge/{charge}", {"Name": "Renamed"}
    assert set(zuora.call("PUT", path, part).crud_codes) == {"MISSING_REQUIRED_VALUE"}
    whole = charge_body(plan, "fee", [usd(100)], Name="Renamed", ChargeType=None)
    assert zuora.call("PUT", path, whole).status == 200
    assert zuora.get(path)["Name"] == "Renamed"
    zuora.app.control.set_switches(charge_update="partial")
    assert zuora.call("PUT", path, part).status == 200


def test_a_tier_price_changes_in_place_and_nothing_else_does(zuora: Driver) -> None:
    zuora.app.control.set_switches(charge_update="partial")
    zuora.unit()
    plan = zuora.plan(zuora.product())
    charge = zuora.charge(plan, "t", TIERS, **TIERED)
    path = f"/v1/object/product-rate-plan-charge/{charge}"
    tier = zuora.get(path)["ProductRatePlanChargeTierData"]["ProductRatePlanChargeTier"][0]["Id"]
    assert zuora.call("PUT", f"/v1/object/product-rate-plan-charge-tier/{tier}", {"Price": 5}).status == 200
    new_price = {"ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Price": 6}, {"Price": 7}]}}
    assert zuora.call("PUT", path, new_price).status == 200
    prices = [one["Price"] for one in zuora.get(path)["ProductRatePlanChargeTierData"]["ProductRatePlanChargeTier"]]
    assert prices == [6, 7, 3]
    moved = {"ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Price": 6, "EndingUnit": 99}]}}
    more = {"ProductRatePlanChargeTierData": {"ProductRatePlanChargeTier": [{"Price": 1}] * 4}}
    for refused in (moved, more, {"ChargeModel": "Volume Pricing"}):
        assert zuora.call("PUT", path, refused).status == 400


def test_what_a_subscription_used_cannot_be_deleted(zuora: Driver) -> None:
    product, plan, charge = flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    paths = [f"product-rate-plan-charge/{charge}", f"product-rate-plan/{plan}", f"product/{product}"]
    for path in paths:
        assert zuora.call("DELETE", f"/v1/object/{path}").crud_codes == ["CANNOT_DELETE"]


def test_a_subscribed_plan_without_charges_cannot_be_deleted_either(zuora: Driver) -> None:
    plan = zuora.plan(zuora.product())
    zuora.account()
    zuora.subscribe()
    assert zuora.call("DELETE", f"/v1/object/product-rate-plan/{plan}").crud_codes == ["CANNOT_DELETE"]


def test_an_unused_catalog_is_deleted_from_the_bottom_up(zuora: Driver) -> None:
    product, plan, charge = flat_catalog(zuora)
    assert zuora.call("DELETE", f"/v1/object/product/{product}").crud_codes == ["CANNOT_DELETE"]
    for path in (f"product-rate-plan-charge/{charge}", f"product-rate-plan/{plan}", f"product/{product}"):
        assert zuora.call("DELETE", f"/v1/object/{path}").status == 200
    assert zuora.app.control.rows("ProductRatePlanChargeTier") == []


def test_the_catalog_has_plans_inline_before_230_and_as_a_url_since(zuora: Driver) -> None:
    product, plan, _ = flat_catalog(zuora)
    inline = zuora.get("/v1/catalog/products", Zuora_Version="229.0")["products"][0]["productRatePlans"]
    assert [one["id"] for one in inline] == [plan]
    assert inline[0]["productRatePlanCharges"][0]["pricing"][0]["price"] == "100"
    url = zuora.get("/v1/catalog/products")["products"][0]["productRatePlans"]
    assert url.endswith(f"/v1/rateplan/{product}/productRatePlan")
    assert zuora.get(url.removeprefix("https://rest.zuora.example"))["productRatePlans"][0]["id"] == plan


def test_the_catalog_comes_in_pages_of_at_most_forty(zuora: Driver) -> None:
    for index in range(45):
        zuora.product(f"p-{index}")
    first = zuora.get("/v1/catalog/products?pageSize=100")
    assert len(first["products"]) == 40
    second = zuora.get(first["nextPage"].removeprefix("https://rest.zuora.example"))
    assert (len(second["products"]), second.get("nextPage")) == (5, None)
    assert len(zuora.get("/v1/catalog/products")["products"]) == 10


def test_units_by_settings(zuora: Driver, app: StandIn) -> None:
    zuora.unit("calls", precision=0)
    listed = zuora.get("/settings/units-of-measure")["unitsOfMeasure"]
    assert [(one["name"], one["precision"], one["active"]) for one in listed] == [("calls", 0, True)]
    again = {"name": "calls", "displayAs": "x", "precision": 1, "roundingMode": "Up", "active": True}
    assert zuora.call("POST", "/settings/units-of-measure", again).status == 400
    app.control.set_switches(settings_api=False)
    assert zuora.call("GET", "/settings/units-of-measure").status == 403


def test_a_unit_in_use_keeps_its_precision(zuora: Driver) -> None:
    zuora.unit()
    unit = zuora.get("/settings/units-of-measure")["unitsOfMeasure"][0]
    body = {"name": "calls", "displayAs": "Calls", "precision": 4, "roundingMode": "Up", "active": True}
    assert zuora.call("PUT", f"/settings/units-of-measure/{unit['id']}", body).status == 200
    zuora.charge(
        zuora.plan(zuora.product()), "c", [usd(1)], ChargeModel="Per Unit Pricing", UOM="calls", DefaultQuantity=1
    )
    assert zuora.call("PUT", f"/settings/units-of-measure/{unit['id']}", body | {"precision": 2}).status == 400
