from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.integrations.zuora.standin.driver import Driver, flat_catalog, usage_body, usage_catalog

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def found(zuora: Driver, thing: str, *filters: str, field: str = "id", **more: str) -> list[Any]:
    parts = [f"filter[]={quote(one)}" for one in filters] + [f"{name}={quote(value)}" for name, value in more.items()]
    return [row.get(field) for row in zuora.get(f"/object-query/{thing}?{'&'.join(parts)}")["data"]]


def zoql(zuora: Driver, text: str) -> Any:
    return zuora.call("POST", "/v1/action/query", {"queryString": text}).body


@pytest.fixture
def three(zuora: Driver) -> Driver:
    for index, name in enumerate(("Alpha", "beta", "Gamma"), start=1):
        zuora.product(f"sku-{index}", Name=name, Category="Base Products" if index < 3 else "Add On Services")
    return zuora


@pytest.mark.parametrize(
    ("filters", "skus"),
    [
        (["sku.EQ:sku-2"], ["sku-2"]),
        (["sku.EQ:SKU-2"], ["sku-2"]),
        (["sku.NE:sku-2"], ["sku-1", "sku-3"]),
        (["sku.SW:sku-"], ["sku-1", "sku-2", "sku-3"]),
        (["sku.IN:[sku-1,sku-3]"], ["sku-1", "sku-3"]),
        (["name.GT:Beta"], ["sku-2", "sku-3"]),
        (["category.EQ:Base Products", "name.SW:a"], ["sku-1"]),
        (["sku.EQ:none"], []),
        (["effectivestartdate.LE:2020-01-01"], ["sku-1", "sku-2", "sku-3"]),
        (["category.EQ:null"], []),
    ],
)
def test_listed_filters_select_with_and(three: Driver, filters: list[str], skus: list[str]) -> None:
    assert found(three, "products", *filters, field="sKU") == skus


@pytest.mark.parametrize(
    ("thing", "query"),
    [
        ("products", "filter[]=description.EQ:x"),
        ("products", "filter[]=sku.LIKE:x"),
        ("products", "filter[]=sku"),
        ("products", "filter[]=sku.IN:a,b"),
        ("products", "pageSize=0"),
        ("products", "pageSize=100"),
        ("products", "pageSize=many"),
        ("products", "cursor=x"),
        ("products", "sort[]=name"),
        ("products", "expand[]=moon"),
        ("product-rate-plan-charges", "filter[]=name.EQ:x"),
        ("accounts", "filter[]=stiggEntityUrl__c.EQ:x"),
        ("usages", "filter[]=description.EQ:x"),
        ("usages", "filter[]=quantity.GT:many"),
    ],
)
def test_anything_else_is_category_27(zuora: Driver, thing: str, query: str) -> None:
    usage = usage_catalog(zuora)
    zuora.made("/v1/object/usage", usage_body(usage))
    reply = zuora.call("GET", f"/object-query/{thing}?{query}")
    assert (reply.status, reply.codes, set(reply.body)) == (400, [50000027], {"reasons", "requestId"})


def test_matching_can_be_set_to_mind_the_case(three: Driver, app: StandIn) -> None:
    app.control.set_switches(query_case_sensitive=True)
    assert found(three, "products", "sku.EQ:SKU-2", field="sKU") == []


def test_an_indexed_custom_field_filters(zuora: Driver) -> None:
    zuora.account("cust-1", stiggCustomerId__c="c-1")
    zuora.account("cust-2", stiggCustomerId__c="c-2")
    assert found(zuora, "accounts", "stiggcustomerid__c.EQ:c-2", field="accountNumber") == ["cust-2"]


def test_pages_follow_the_cursor_in_the_order_asked_for(three: Driver) -> None:
    seen, cursor = [], ""
    while True:
        page = three.get(f"/object-query/products?pageSize=2&sort[]=name.DESC&cursor={cursor}")
        seen += [row["name"] for row in page["data"]]
        cursor = page.get("nextPage", "")
        if not cursor:
            break
    assert seen == ["beta", "Gamma", "Alpha"]


def test_fields_and_neighbours_can_be_chosen(zuora: Driver) -> None:
    product, plan, charge = flat_catalog(zuora)
    query = "/object-query/products?product.fields[]=sKU,name&expand[]=productRatePlans.productRatePlanCharges"
    row = zuora.get(query)["data"][0]
    assert set(row) == {"sKU", "name", "productRatePlans"}
    assert row["productRatePlans"][0]["productRatePlanCharges"][0]["id"] == charge
    assert zuora.get(f"/object-query/products/{product}")["productNumber"] == "PC-00000001"
    assert zuora.get("/object-query/product-rate-plans/basic-month")["id"] == plan
    assert zuora.call("GET", "/object-query/products/none").codes == [50000040]


def test_subscriptions_are_found_in_all_versions_by_name(zuora: Driver) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    zuora.order({"type": "RenewSubscription"}, subscription="sub-1")
    assert found(zuora, "subscriptions", "name.EQ:sub-1", field="version") == [1, 2]
    assert found(zuora, "subscriptions", "name.EQ:sub-1", "islatestversion.EQ:true", field="version") == [2]
    first, second = found(zuora, "subscriptions", "name.EQ:sub-1")
    latest = zuora.get("/object-query/subscriptions/sub-1")
    links = (latest["version"], latest["id"], latest["previousSubscriptionId"], latest["originalId"])
    assert links == (2, second, first, first)
    assert len(found(zuora, "rate-plan-charges")) == 2


def test_what_was_just_written_can_be_set_to_be_seen_later(three: Driver, app: StandIn) -> None:
    app.control.set_switches(query_lag_seconds=5.0)
    assert found(three, "products") == []
    app.control.advance(seconds=5)
    assert len(found(three, "products")) == 3


@pytest.mark.parametrize(
    ("condition", "skus"),
    [
        ("SKU = 'sku-2'", ["sku-2"]),
        ("SKU != 'sku-2'", ["sku-1", "sku-3"]),
        ("SKU = 'sku-1' or SKU = 'sku-3'", ["sku-1", "sku-3"]),
        ("Category = 'Base Products' and Name = 'beta' or SKU = 'sku-3'", ["sku-2", "sku-3"]),
        ("Name like 'al%'", ["sku-1"]),
        ("Description = null", ["sku-1", "sku-2", "sku-3"]),
        ("EffectiveStartDate >= '2020-01-02'", []),
    ],
)
def test_zoql_conditions(three: Driver, condition: str, skus: list[str]) -> None:
    answer = zoql(three, f"select SKU from Product where {condition}")  # noqa: S608 - ZOQL, and our own
    assert ([row["SKU"] for row in answer["records"]], answer["size"], answer["done"]) == (skus, len(skus), True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT Id FROM Product", "MALFORMED_QUERY"),
        ("select Id from Product where", "MALFORMED_QUERY"),
        ("select Id from Product where SKU in ('a')", "MALFORMED_QUERY"),
        ("select Id from Product where (SKU = 'a')", "MALFORMED_QUERY"),
        ("select Id from Product where SKU = 'a' order by Name", "MALFORMED_QUERY"),
        ("select Id from Product where Name like '%a'", "MALFORMED_QUERY"),
        ("select Id from Product where SKU = sku", "MALFORMED_QUERY"),
        ("select Id from Product where SKU = 'a'" + " or SKU = 'a'" * 200, "MALFORMED_QUERY"),
        ("select Colour from Product", "INVALID_FIELD"),
        ("select Id from Usage where UniqueKey = 'x'", "INVALID_FIELD"),
        ("select Id from Spaceship", "INVALID_TYPE"),
    ],
)
def test_zoql_that_is_none_is_a_fault(zuora: Driver, text: str, code: str) -> None:
    assert zoql(zuora, text)["faultcode"] == f"fns:{code}"


def test_zoql_finds_usage_by_its_description_with_quotes_escaped(zuora: Driver) -> None:
    charge = usage_catalog(zuora)
    wanted = zuora.made("/v1/object/usage", usage_body(charge, Description="it's \\ 1"))
    zuora.made("/v1/object/usage", usage_body(charge, Description="other"))
    answer = zoql(zuora, "select Id, Quantity, RbeStatus from Usage where Description = 'it\\'s \\\\ 1'")
    assert answer["records"] == [{"Id": wanted, "Quantity": 10, "RbeStatus": "Pending"}]


def test_zoql_leaves_nulls_out_and_reads_units_and_custom_fields(zuora: Driver) -> None:
    zuora.unit("calls", precision=3)
    units = zoql(zuora, "select Id, UomName, Active, DecimalPlaces from UnitOfMeasure where UomName = 'calls'")
    assert {name: units["records"][0][name] for name in ("UomName", "Active", "DecimalPlaces")} == {
        "UomName": "calls",
        "Active": True,
        "DecimalPlaces": 3,
    }
    account = zuora.account(stiggEntityUrl__c="https://x.example")
    answer = zoql(
        zuora, "select Id, Notes, stiggEntityUrl__c from Account where stiggEntityUrl__c = 'https://x.example'"
    )
    assert answer["records"] == [{"Id": account, "stiggEntityUrl__c": "https://x.example"}]


def test_removed_rate_plans_are_hidden_unless_asked_for(zuora: Driver) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    removed = {"type": "RemoveProduct", "removeProduct": {"productRatePlanNumber": "basic-month"}}
    zuora.order(removed, subscription="sub-1", day="2026-02-01")
    assert len(zoql(zuora, "select Id from RatePlan")["records"]) == 1
    assert len(zoql(zuora, "select Id from RatePlan where AmendmentType = 'RemoveProduct'")["records"]) == 1


def test_a_long_result_goes_on_with_a_locator_for_fifteen_minutes(three: Driver, app: StandIn) -> None:
    body = {"queryString": "select SKU from Product", "conf": {"batchSize": 2}}
    first = three.call("POST", "/v1/action/query", body).body
    assert (len(first["records"]), first["size"], first["done"]) == (2, 3, False)
    more = {"queryLocator": first["queryLocator"]}
    assert [row["SKU"] for row in three.call("POST", "/v1/action/queryMore", more).body["records"]] == ["sku-3"]
    app.control.advance(minutes=15)
    assert three.call("POST", "/v1/action/queryMore", more).body["faultcode"] == "fns:INVALID_VALUE"


def test_describe_names_the_custom_fields_that_exist(zuora: Driver, app: StandIn) -> None:
    page = zuora.get("/v1/describe/Subscription")
    assert "<name>stiggResourceId__c</name>" in page
    app.control.set_switches(custom_fields={})
    assert "__c" not in zuora.get("/v1/describe/Subscription")
    assert zuora.call("GET", "/v1/describe/Spaceship").status == 404
