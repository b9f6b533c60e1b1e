"""Reading: searches by natural key, lists to their last page, ZOQL, units, descriptions."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from integrations.zuora.auth import Identity
from integrations.zuora.client import Client, equal, field, zoql_text
from integrations.zuora.errors import (
    Kind,
    Locked,
    NotFound,
    Unauthorized,
    UnexpectedAnswer,
    ZuoraError,
)
from tests.integrations.zuora.canned import BASE, ID, calls, make_client

Search = tuple[Callable[[Client], Any], str, list[tuple[str, str]], dict[str, Any]]
SEARCHES: list[Search] = [
    (lambda c: c.find_product(sku="pro"), "products", [("filter[]", "sku.EQ:pro")], {"id": ID, "sKU": "pro"}),
    (
        lambda c: c.find_rate_plan(product_id="P1", number="pro-m"),
        "product-rate-plans",
        [("filter[]", "productid.EQ:P1"), ("filter[]", "productrateplannumber.EQ:pro-m")],
        {"id": ID, "productId": "P1", "productRatePlanNumber": "pro-m"},
    ),
    (
        lambda c: c.find_rate_plan_by_name(product_id="P1", name="Ménage, [a]&b"),
        "product-rate-plans",
        [("filter[]", "productid.EQ:P1"), ("filter[]", "name.EQ:Ménage, [a]&b")],
        {"id": ID, "productId": "P1", "name": "Ménage, [a]&b"},
    ),
    (
        lambda c: c.find_charge(rate_plan_id="R1", number="seats"),
        "product-rate-plan-charges",
        [("filter[]", "productrateplanid.EQ:R1"), ("filter[]", "productrateplanchargenumber.EQ:seats")],
        {"id": ID, "productRatePlanId": "R1", "productRatePlanChargeNumber": "seats"},
    ),
]


def page(objects: str, query: list[tuple[str, str]], body: dict[str, Any]) -> dict[str, Any]:
    """Describe one page of an Object Query: the query is compared in full and in order."""
    url = requests.Request("GET", f"{BASE}/object-query/{objects}", params=[("pageSize", "50"), *query]).prepare().url
    return {"method": "GET", "url": url, "json": body, "match": [matchers.query_string_matcher(str(url).split("?")[1])]}


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_by_natural_key_finds_the_one(zuora: responses.RequestsMock, search: Search) -> None:
    act, objects, query, row = search
    zuora.add(**page(objects, query, {"data": [row]}))

    assert act(make_client()) == row


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_that_finds_nothing_says_so(zuora: responses.RequestsMock, search: Search) -> None:
    act, objects, query, _ = search
    zuora.add(**page(objects, query, {"data": []}))

    assert act(make_client()) is None


def test_a_search_takes_no_row_that_differs_in_letter_case(zuora: responses.RequestsMock) -> None:
    zuora.add(**page("products", [("filter[]", "sku.EQ:pro")], {"data": [{"id": "1", "sKU": "PRO"}]}))

    assert make_client().find_product(sku="pro") is None


def test_two_of_one_natural_key_are_for_a_person(zuora: responses.RequestsMock) -> None:
    rows = [{"id": "1", "sKU": "pro"}, {"id": "2", "sKU": "pro"}]
    zuora.add(**page("products", [("filter[]", "sku.EQ:pro")], {"data": rows}))
    with pytest.raises(UnexpectedAnswer, match=r"2 products with .*: 1, 2") as caught:
        make_client().find_product(sku="pro")

    assert caught.value.kind is Kind.PERMANENT


LISTS: list[tuple[Callable[[Client], Any], str, str]] = [
    (lambda c: c.rate_plans_of(ID), "product-rate-plans", f"productid.EQ:{ID}"),
    (lambda c: c.charges_of(ID), "product-rate-plan-charges", f"productrateplanid.EQ:{ID}"),
    (lambda c: c.charge_tiers_of(ID), "product-rate-plan-charge-tiers", f"productrateplanchargeid.EQ:{ID}"),
]


@pytest.mark.parametrize(("act", "objects", "query"), LISTS)
def test_a_list_is_read_to_its_last_page(
    zuora: responses.RequestsMock, act: Callable[[Client], Any], objects: str, query: str
) -> None:
    filters = [("filter[]", query)]
    zuora.add(**page(objects, filters, {"data": [{"id": "1"}, {"id": "2"}], "nextPage": "W3=&x"}))
    zuora.add(**page(objects, [*filters, ("cursor", "W3=&x")], {"data": [{"id": "3"}]}))

    assert act(make_client()) == [{"id": "1"}, {"id": "2"}, {"id": "3"}]


def test_pages_that_go_in_a_circle_end_in_an_error(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/object-query/usages", json={"data": [], "nextPage": "again"})
    with pytest.raises(UnexpectedAnswer, match="circle"):
        list(make_client().query("usages"))

    assert len(calls(zuora)) == 2


def test_a_query_can_expand_and_sort(zuora: responses.RequestsMock) -> None:
    query = [
        ("filter[]", "name.EQ:S-1"),
        ("expand[]", "rateplans"),
        ("expand[]", "account"),
        ("sort[]", "version.DESC"),
    ]
    zuora.add(**page("subscriptions", query, {"data": [{"id": ID}]}))
    rows = make_client().query(
        "subscriptions", filters=[equal("name", "S-1")], expand=["rateplans", "account"], sort=["version.DESC"]
    )

    assert list(rows) == [{"id": ID}]


def test_zoql_is_read_to_its_end_under_new_keys(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/action/query", json={"records": [{"Id": "1"}], "done": False, "queryLocator": "L-1"})
    zuora.add("POST", f"{BASE}/v1/action/queryMore", json={"records": [{"Id": "2"}], "done": True})
    query = " ".join(["select Id from Usage where Description =", zoql_text("it's")])

    assert make_client().zoql(query) == [{"Id": "1"}, {"Id": "2"}]
    first, second = calls(zuora)
    assert first.body == b'{"queryString":"select Id from Usage where Description = \'it\\\\\'s\'"}'
    assert second.body == b'{"queryLocator":"L-1"}'
    assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]


def test_zoql_that_promises_more_and_sends_none_ends_in_an_error(zuora: responses.RequestsMock) -> None:
    zuora.add("POST", f"{BASE}/v1/action/query", json={"records": [{"Id": "1"}], "done": False, "queryLocator": "L"})
    zuora.add("POST", f"{BASE}/v1/action/queryMore", json={"size": 0, "done": False})
    with pytest.raises(UnexpectedAnswer):
        make_client().zoql("select Id from Usage")


def test_a_zoql_text_is_escaped() -> None:
    assert zoql_text("a'b\\c") == r"'a\'b\\c'"


def test_a_field_is_read_in_any_letter_case() -> None:
    assert [field({"sKU": "pro"}, name) for name in ("SKU", "sku", "name")] == ["pro", "pro", None]


def test_units_of_measure_read_alike_from_settings_and_by_zoql(zuora: responses.RequestsMock) -> None:
    unit = {"id": ID, "name": "GB", "active": True, "precision": 0}
    zuora.add("GET", f"{BASE}/settings/units-of-measure", json={"unitsOfMeasure": [unit]})
    row = {"Id": ID, "UomName": "GB", "Active": True, "DecimalPlaces": 0}
    zuora.add("POST", f"{BASE}/v1/action/query", json={"records": [row], "size": 1, "done": True})
    client = make_client()

    assert client.units_of_measure() == client.units_of_measure_by_zoql() == [unit]


def test_check_of_the_connection_reads_one_product(zuora: responses.RequestsMock) -> None:
    url = f"{BASE}/v1/catalog/products?pageSize=1"
    zuora.add("GET", url, json={"products": [], "success": True})
    make_client().check_connection()

    assert [request.url for request in calls(zuora)] == [url]


def test_identity_is_proved_by_a_new_token(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/accounts/A-1", json={"basicInfo": {"id": ID}})
    client = make_client()
    client.get_account("A-1")

    assert client.identify() == Identity(tenant="12", entities=("e1",), user="u1")
    assert len(zuora.calls) == 3


DESCRIPTION = """<?xml version="1.0" encoding="UTF-8"?>
<object><name>Account</name><fields>
<field><name>Name</name><contexts><context>soap</context></contexts></field>
<field><name>StiggCustomerId__c</name></field>
</fields><related-objects><object><name>Contact</name></object></related-objects></object>"""


def test_description_of_an_object_names_its_fields(zuora: responses.RequestsMock) -> None:
    zuora.add("GET", f"{BASE}/v1/describe/Account", body=DESCRIPTION, content_type="text/xml")

    assert make_client().describe("Account") == {"Name", "StiggCustomerId__c"}
    assert calls(zuora)[0].headers["Accept"] == "text/xml, application/json"


@pytest.mark.parametrize(
    ("status", "body", "cls"),
    [
        (401, '{"message": "Authentication error"}', Unauthorized),
        (404, '{"reasons": [{"code": 50000040, "message": "no"}]}', NotFound),
        (200, '{"success": false, "reasons": [{"code": 53500050, "message": "no"}]}', Locked),
        (200, '{"success": true}', UnexpectedAnswer),
        (200, "<html><body>Service Unavailable</body></html>", UnexpectedAnswer),
        (200, "<object><fields>", UnexpectedAnswer),
        (200, "", UnexpectedAnswer),
        (200, '<!DOCTYPE x [<!ENTITY a "b">]>' + DESCRIPTION.partition("?>")[2], UnexpectedAnswer),
    ],
)
def test_anything_else_is_no_description(
    zuora: responses.RequestsMock, status: int, body: str, cls: type[ZuoraError]
) -> None:
    zuora.add("GET", f"{BASE}/v1/describe/Account", status=status, body=body)
    with pytest.raises(cls):
        make_client().describe("Account")
