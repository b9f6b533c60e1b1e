from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import Driver, account_body, flat_catalog

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def test_an_account_is_read_nested_by_number_and_by_id(zuora: Driver) -> None:
    account = zuora.account(stiggCustomerId__c="cust-1", crmId="crm-1")
    read = zuora.get("/v1/accounts/cust-1")
    assert read == zuora.get(f"/v1/accounts/{account}")
    basic = {name: read["basicInfo"][name] for name in ("id", "accountNumber", "crmId", "stiggCustomerId__c", "status")}
    wanted = {"accountNumber": "cust-1", "crmId": "crm-1", "stiggCustomerId__c": "cust-1", "status": "Active"}
    assert basic == {"id": account, **wanted}
    assert read["billingAndPayment"]["currency"] == read["metrics"]["currency"] == "USD"
    assert read["billToContact"]["firstName"] == read["soldToContact"]["firstName"] == "Made"
    assert read["success"] is True


@pytest.mark.parametrize(
    ("change", "category"),
    [
        ({"name": None}, 22),
        ({"currency": None}, 22),
        ({"billToContact": None}, 22),
        ({"billToContact": {"firstName": "Only"}}, 22),
        ({"billCycleDay": None}, 22),
        ({"billCycleDay": 32}, 20),
        ({"billCycleDay": "1"}, 20),
        ({"currency": "XXX"}, 20),
        ({"currency": "DOLLAR"}, 20),
        ({"name": "x" * 256}, 20),
        ({"accountNumber": "x" * 71}, 20),
        ({"accountNumber": "A00000077"}, 20),
        ({"colour": "red"}, 21),
        ({"unknown__c": "x"}, 21),
        ({"autoPay": True}, 30),
        ({"hpmCreditCardPaymentMethodId": "none"}, 20),
    ],
)
def test_a_wrong_account_is_refused_and_nothing_is_kept(zuora: Driver, change: dict[str, Any], category: int) -> None:
    reply = zuora.call("POST", "/v1/accounts", account_body("cust-1") | change)
    assert (reply.status, reply.codes[0]) == (400, 51100000 + category)
    assert zuora.app.control.rows("Account") == zuora.app.control.rows("Contact") == []


def test_the_account_number_is_unique(zuora: Driver, app: StandIn) -> None:
    zuora.account()
    assert zuora.call("POST", "/v1/accounts", account_body("cust-1")).codes == [51100030]
    app.control.set_switches(duplicate_category=20)
    assert zuora.call("POST", "/v1/accounts", account_body("cust-1")).codes == [51100020]


def test_an_update_changes_what_it_names(zuora: Driver) -> None:
    zuora.account(notes="old")
    body = {
        "name": "Renamed",
        "billToContact": {"firstName": "New", "lastName": "Name"},
        "stiggEntityUrl__c": "https://x.example",
    }
    assert zuora.call("PUT", "/v1/accounts/cust-1", body).body == {"success": True}
    read = zuora.get("/v1/accounts/cust-1")
    assert (read["basicInfo"]["name"], read["basicInfo"]["notes"]) == ("Renamed", "old")
    assert read["billToContact"]["firstName"] == "New"
    assert zuora.call("PUT", "/v1/accounts/cust-1", {"currency": "EUR"}).codes == [51100021]


def test_a_payment_method_is_taken_by_reference_and_never_as_a_card(zuora: Driver) -> None:
    card = {"type": "CreditCard", "cardNumber": "4111111111111111"}
    assert zuora.call("POST", "/v1/payment-methods", card).codes == [59600030]
    body = {"type": "CreditCardReferenceTransaction", "tokenId": "tok-1"}
    method = zuora.call("POST", "/v1/payment-methods", body).body["id"]
    zuora.account(autoPay=True, hpmCreditCardPaymentMethodId=method)
    assert zuora.get("/v1/accounts/cust-1/payment-methods/default")["id"] == method
    assert zuora.get("/v1/accounts/cust-1")["billingAndPayment"]["autoPay"] is True
    zuora.account("cust-2")
    assert zuora.call("GET", "/v1/accounts/cust-2/payment-methods/default").codes == [50000040]


def test_a_contact_of_its_own_and_its_roles(zuora: Driver) -> None:
    zuora.account()
    body = {"accountNumber": "cust-1", "firstName": "Sold", "lastName": "To", "zipCode": "1", "asSoldTo": True}
    contact = zuora.call("POST", "/v1/contacts", body).body["id"]
    assert zuora.get("/v1/accounts/cust-1")["soldToContact"]["id"] == contact
    assert zuora.call("DELETE", f"/v1/contacts/{contact}").status == 400
    assert zuora.call("PUT", f"/v1/contacts/{contact}", {"lastName": "Changed"}).body["lastName"] == "Changed"


def test_an_account_with_subscriptions_is_not_deleted(zuora: Driver) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.account("cust-2")
    zuora.subscribe()
    assert zuora.call("DELETE", "/v1/accounts/cust-1").status == 400
    job = zuora.call("DELETE", "/v1/accounts/cust-2").body["jobId"]
    assert zuora.get(f"/v1/operations/jobs/{job}")["jobStatus"] == "Completed"
    assert zuora.call("GET", "/v1/accounts/cust-2").status == 404
