"""The checker itself: a right request passes, and each kind of wrong one is named."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.request_bodies import (
    DATES,
    HEADERS,
    PUT_HEADERS,
    STRICT,
    Body,
    account,
    action,
    charge,
    creation,
    new_order,
    one_time,
    order,
    rows,
    usage,
)
from tests.sdk_contract import check_request
from tests.sdk_models import operation_of

RIGHT: list[tuple[str, str, Body]] = [
    ("POST", "/v1/object/product", {
        "Name": "Basic", "SKU": "stigg--plan--basic", "Category": "Base Products",
        "EffectiveStartDate": "2020-01-01", "EffectiveEndDate": "2099-12-31", "stiggEntityUrl__c": "https://x.example",
    }),
    ("POST", "/v1/object/product-rate-plan", {
        "Name": "Monthly", "ProductId": "8ad08ccf0000000000000000000000aa", "ActiveCurrencies": ["EUR"],
        "ProductRatePlanNumber": "stigg--plan--basic--monthly",
    }),
    ("POST", "/v1/object/product-rate-plan-charge", charge()),
    ("POST", "/v1/object/product-rate-plan-charge", one_time()),
    ("POST", "/v1/accounts", account()),
    ("POST", "/v1/orders", new_order()),
    ("POST", "/v1/orders", order(action())),
    ("POST", "/v1/object/usage", usage()),
    ("POST", "/v1/action/create", {"type": "Usage", "objects": [usage()]}),
    ("POST", "/settings/units-of-measure", {
        "name": "seats", "displayAs": "seats", "precision": 8, "roundingMode": "Up", "active": True,
        "usageLogFileLabel": "seats",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), RIGHT)
def test_a_right_write_passes(method: str, path: str, body: Body) -> None:
    assert check_request(method, path, body, HEADERS, STRICT) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/object/product-rate-plan-charge-tier/8ad08ccf", {"Price": Decimal("9.99")}),
        ("PUT", "/v1/accounts/stigg--acme", {"name": "Acme", "autoPay": False}),
        ("PUT", "/v1/subscriptions/stigg--sub-1/customFields", {"customFields": {"stiggResourceId__c": "site"}}),
        ("GET", "/v1/accounts/stigg--acme", None),
        ("GET", "/v1/catalog/products", None),
        ("GET", "/object-query/products", None),
        ("GET", "/v1/describe/Product", None),
        ("GET", "/settings/units-of-measure", None),
    ],
)
def test_a_right_update_or_read_passes(method: str, path: str, body: Body | None) -> None:
    assert check_request(method, path, body, PUT_HEADERS, STRICT) == []


def test_a_token_call_and_a_query_need_no_key() -> None:
    form = {"client_id": "made-up", "client_secret": "made-up", "grant_type": "client_credentials"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert check_request("POST", "/oauth/token", form, headers) == []
    query = {"queryString": "select Id from Usage"}
    assert check_request("POST", "/v1/action/query", query, PUT_HEADERS) == []


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


CHARGE = "/v1/object/product-rate-plan-charge"
CREATION = "body.subscriptions[0].orderActions[0].createSubscription"
WRONG: list[tuple[str, Body, str]] = [
    # what the models say
    ("/v1/object/product", {"Name": "x", "EffectiveStartDate": "2020-01-01"}, "body.EffectiveEndDate: missing"),
    (CHARGE, charge(Nmae="x"), "body.Nmae: unknown"),
    (CHARGE, charge(Name="x" * 101), "body.Name: 101 characters, at most 100"),
    (CHARGE, charge(Name=7), "body.Name: 7 is not str"),
    (CHARGE, charge(UseDiscountSpecificAccountingCode="no"),
     "body.UseDiscountSpecificAccountingCode: 'no' is not bool"),
    (CHARGE, charge(DefaultQuantity="5"), "body.DefaultQuantity: '5' is not float"),
    (CHARGE, charge(UpToPeriods=Decimal("1.5")), "body.UpToPeriods: Decimal('1.5') is not int"),
    (CHARGE, _without("BillingPeriod")(charge()), "body.BillingPeriod: missing"),
    (CHARGE, charge(ProductRatePlanChargeTierData=[]), "body.ProductRatePlanChargeTierData: [] is not an object"),
    ("/v1/orders", order(action(), orderDate="31.01.2026"), "body.orderDate: '31.01.2026' is not date"),
    ("/v1/orders", order(action(), orderDate="20260131"), "body.orderDate: '20260131' is not date"),
    ("/v1/orders", order(action(), subscriptions={}), "body.subscriptions: {} is not a list"),
    ("/v1/orders", order(action(), stiggResourceId__c="x"), "body.stiggResourceId__c: unknown"),
    ("/v1/orders", order(action(), customFields={"resource": "x"}), "body.customFields.resource: unknown"),
    ("/v1/orders", new_order(terms={"initialTerm": {"termType": "Evergreen"}}),
     f"{CREATION}.terms.initialTerm.termType: 'Evergreen' is none of TERMED EVERGREEN"),
    ("/v1/accounts", account(billToContact={"firstName": "Ada", "lastName": "Acme", "postalCode": "10115"}),
     "body.billToContact.postalCode: unknown"),
    ("/v1/action/create", {"type": "Usage", "objects": [usage(Uom="calls")]}, "body.objects[0].Uom: unknown"),
    ("/settings/units-of-measure", {"name": "seats"}, "body.displayAs: missing"),
    ("/settings/units-of-measure", {"name": 1}, "body.name: 1 is not str"),
    # what the prose says
    (CHARGE, charge(Description=None), "body.Description: null"),
    (CHARGE, charge(Name="Seats \N{ROCKET}"), "body.Name: 'Seats \N{ROCKET}' holds 4-byte UTF-8"),
    (CHARGE, one_time(BillingPeriod="Month"), "body.BillingPeriod: not on a one-time charge"),
    (CHARGE, _without("UOM")(charge()), "body.UOM: missing, and Tiered Pricing counts"),
    (CHARGE, charge(ChargeModel="Per Unit Pricing", ProductRatePlanChargeTierData=rows({"Price": 1})),
     "body.DefaultQuantity: missing"),
    (CHARGE, charge(ChargeModel="Discount-Percentage"),
     "body.ProductRatePlanChargeTierData: each row has a DiscountPercentage"),
    (CHARGE, charge(EndDateCondition="FixedPeriod"),
     "body.EndDateCondition: a fixed period has UpToPeriods and UpToPeriodsType"),
    (CHARGE, charge(ProductRatePlanChargeTierData=rows(
        {"StartingUnit": 0, "EndingUnit": 10, "Price": 1}, {"StartingUnit": 10, "Price": 1})),
     "body.EUR: a tier starts one after the end of the one before"),
    (CHARGE, charge(ProductRatePlanChargeTierData=rows({"StartingUnit": 0, "EndingUnit": 10, "Price": 1})),
     "body.EUR: the first tier starts at 0 or 1, and the last one has no end"),
    (CHARGE, charge(ChargeModel="Flat Fee Pricing", ProductRatePlanChargeTierData=rows({"Price": 1}, {"Price": 2})),
     "body.EUR: 2 rows for one price"),
    ("/v1/orders", _without("existingAccountNumber")(order(action())),
     "body: exactly one of existingAccountNumber and newAccount"),
    ("/v1/orders", order(action(), orderNumber="a/b"), "body.orderNumber: holds a slash"),
    ("/v1/orders", order(action("AddProduct", removeProduct={"productRatePlanNumber": "x"})),
     "body.subscriptions[0].orderActions[0]: a AddProduct holds addProduct, not removeProduct"),
    ("/v1/orders", order(action(triggerDates=DATES[:1])),
     "body.subscriptions[0].orderActions[0].triggerDates: CustomerAcceptance, ServiceActivation missing"),
    ("/v1/orders", order(*[action()] * 51), "body.subscriptions[0].orderActions: 51 of at most 50"),
    ("/v1/orders", order(creation()),
     "body.subscriptions[0].subscriptionNumber: named when it is changed, and only then"),
    ("/v1/orders", order(action("CancelSubscription", cancelSubscription={"cancellationPolicy": "SpecificDate"})),
     "body.subscriptions[0].orderActions[0].cancelSubscription: SpecificDate has a date, and no other policy has"),
    ("/v1/orders", order(action("AddProduct", addProduct={
        "productRatePlanId": "x", "chargeOverrides": [{"productRatePlanChargeId": "y", "pricing": {}}]})),
     "body.subscriptions[0].orderActions[0].addProduct.pricing: one charge model, not none"),
    ("/v1/orders", order(action("UpdateProduct", updateProduct={"chargeUpdates": []})),
     "body.subscriptions[0].orderActions[0].updateProduct: names its rate plan once"),
    ("/v1/accounts", account(accountNumber="A0001"), "body.accountNumber: begins with the tenant's own prefix"),
    ("/v1/accounts", _without("billCycleDay")(account()),
     "body.billCycleDay: missing, and there is no subscription to take it from"),
    ("/v1/accounts", account(autoPay=True), "body.autoPay: needs exactly one payment method"),
    ("/v1/accounts", account(hpmCreditCardPaymentMethodId="x"), "body.autoPay: off, with a payment method"),
    ("/v1/object/usage", _without("ChargeNumber")(usage()), "usage.ChargeNumber: missing"),
    ("/v1/object/usage", _without("AccountNumber")(usage()), "usage: exactly one of AccountNumber and AccountId"),
    ("/v1/object/usage", usage(Quantity=-1), "usage.Quantity: -1 is negative"),
    ("/v1/object/usage", usage(StartDateTime="2026-01-31T10:00:00"),
     "usage.StartDateTime: '2026-01-31T10:00:00' has no offset, and would be read in the tenant's time zone"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "problem"), WRONG)
def test_a_wrong_body_is_named(path: str, body: Body, problem: str) -> None:
    assert f"POST {path}: {problem}" in check_request("POST", path, body, HEADERS, STRICT)


@pytest.mark.parametrize(
    ("headers", "query", "problem"),
    [
        (PUT_HEADERS, STRICT, "Idempotency-Key: every POST that changes something carries one of 1 to 254 characters"),
        (HEADERS | {"Zuora-Version": "187.0"}, STRICT, "Zuora-Version: '187.0' is not the pinned 2025-08-12"),
        (HEADERS | {"Authorization": ""}, STRICT, "Authorization: on every call but the token's"),
        (HEADERS | {"Content-Type": "text/plain"}, STRICT, "Content-Type: 'text/plain' is not application/json"),
        (
            HEADERS | {"Zuora-Track-Id": "a:b"},
            STRICT,
            "Zuora-Track-Id: 'a:b' is not at most 64 ASCII characters without : ; \" '",
        ),
        (
            HEADERS | {"X-Zuora-WSDL-Version": "79"},
            STRICT,
            "X-Zuora-WSDL-Version: 79 does not know ProductRatePlanChargeNumber, 133 does",
        ),
        (HEADERS, {}, "rejectUnknownFields: a misspelt field would be ignored"),
    ],
)
def test_a_wrong_header_or_query_is_named(headers: dict[str, str], query: dict[str, str], problem: str) -> None:
    where = "query" if problem.startswith("reject") else "header"
    assert check_request("POST", CHARGE, charge(), headers, query) == [f"POST {CHARGE}: {where} {problem}"]


def test_a_key_on_an_update_is_named() -> None:
    path = "/v1/object/product-rate-plan-charge-tier/8ad08ccf"
    assert check_request("PUT", path, {"Price": 1}, HEADERS, STRICT) == [
        f"PUT {path}: header Idempotency-Key: a PUT with it is refused"
    ]


def test_an_update_of_a_charge_does_not_name_its_type() -> None:
    path = f"{CHARGE}/8ad08ccf"
    right = {name: value for name, value in charge().items() if name != "ChargeType"}
    assert check_request("PUT", path, right, PUT_HEADERS, STRICT) == []
    assert check_request("PUT", path, charge(), PUT_HEADERS, STRICT) == [f"PUT {path}: body.ChargeType: unknown"]


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.upper(): value for name, value in HEADERS.items()}
    assert check_request("POST", CHARGE, charge(), headers, STRICT) == []


def test_an_operation_that_zuora_does_not_have_is_named() -> None:
    assert check_request("GET", "/v1/produtcs") == ["GET /v1/produtcs: Zuora has no such operation"]


def test_a_write_without_its_body_is_named() -> None:
    assert "POST /v1/orders: body: missing" in check_request("POST", "/v1/orders", None, HEADERS)


def test_a_literal_path_wins_over_one_with_a_name_in_it() -> None:
    found = operation_of("GET", "/v1/subscriptions/accounts/stigg--acme")
    assert found is not None
    assert found.template == "/v1/subscriptions/accounts/{account-key}"
