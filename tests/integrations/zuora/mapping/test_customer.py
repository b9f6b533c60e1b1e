from typing import Any

import pytest

from integrations.zuora.mapping.customer import account_body, account_update
from integrations.zuora.mapping.refusal import Refused
from tests.integrations.zuora.mapping import build
from tests.sdk_contract import check_body

FULL = {
    "name": "Ada Brown",
    "email": "ada@widgets.example",
    "billing_line1": "1 Made-up Street",
    "billing_line2": "Floor 2",
    "billing_city": "Springfield",
    "billing_state": "Oregon",
    "billing_postal_code": "97477",
    "billing_country": "US",
    "billing_currency": "USD",
    "payment_method_id": "8ad08ccf00000000000000000000pm01",
}
CONTACT = {
    "firstName": "Ada",
    "lastName": "Brown",
    "address1": "1 Made-up Street",
    "address2": "Floor 2",
    "city": "Springfield",
    "state": "Oregon",
    "zipCode": "97477",
    "country": "US",
    "workEmail": "ada@widgets.example",
}


def test_a_customer_is_an_account_with_its_contact_inline() -> None:
    body = account_body(build.customer(**FULL), tenant=build.FIELDS)
    assert body == {
        "accountNumber": "stigg--acme",
        "name": "Ada Brown",
        "currency": "USD",
        "billCycleDay": 0,
        "autoPay": True,
        "hpmCreditCardPaymentMethodId": "8ad08ccf00000000000000000000pm01",
        "billToContact": CONTACT,
        "stiggEntityUrl__c": "https://console.example/customers/acme/",
        "stiggCustomerId__c": "acme",
    }
    assert check_body("POST", "/v1/accounts", body) == []


def test_what_a_customer_or_a_tenant_does_not_have_is_left_out() -> None:
    body = account_body(build.customer(), tenant=build.TENANT)
    assert body == {
        "accountNumber": "stigg--acme",
        "name": "Acme Widgets",
        "currency": "EUR",
        "billCycleDay": 0,
        "autoPay": False,
        "billToContact": {"firstName": "Acme", "lastName": "Widgets", "country": "DE"},
    }
    assert check_body("POST", "/v1/accounts", body) == []


@pytest.mark.parametrize(
    ("values", "name", "first", "last"),
    [
        ({"name": "Ada Mary Brown"}, "Ada Mary Brown", "Ada Mary", "Brown"),
        ({"name": "  Ada   Brown "}, "Ada Brown", "Ada", "Brown"),
        ({"name": "Acme"}, "Acme", "Acme", "-"),
        ({"name": "", "email": "ada.brown@widgets.example"}, "ada.brown@widgets.example", "ada.brown", "-"),
        ({"name": ""}, "acme", "acme", "-"),
        ({"name": " "}, "acme", "acme", "-"),
    ],
)
def test_the_contacts_names_come_from_the_one_name(values: dict[str, Any], name: str, first: str, last: str) -> None:
    body = account_body(build.customer(**values), tenant=build.TENANT)
    assert (body["name"], body["billToContact"]["firstName"], body["billToContact"]["lastName"]) == (name, first, last)


def test_an_update_has_neither_number_nor_currency() -> None:
    before = account_body(build.customer(**FULL), tenant=build.FIELDS)
    body = account_update(build.customer(**FULL | {"name": "Ada Green"}), tenant=build.FIELDS, sent=before)
    assert body == {
        "name": "Ada Green",
        "autoPay": True,
        "defaultPaymentMethodId": "8ad08ccf00000000000000000000pm01",
        "billToContact": CONTACT | {"lastName": "Green"},
        "stiggEntityUrl__c": "https://console.example/customers/acme/",
        "stiggCustomerId__c": "acme",
    }
    assert check_body("PUT", "/v1/accounts/stigg--acme", body) == []


def test_an_update_empties_what_was_sent_and_is_gone_and_leaves_the_rest_alone() -> None:
    before = account_body(build.customer(**FULL | {"billing_line1": ""}), tenant=build.TENANT)
    now = build.customer(**FULL | {"billing_line1": "", "billing_line2": "", "email": "", "payment_method_id": ""})
    body = account_update(now, tenant=build.TENANT, sent=before)
    assert body == {
        "name": "Ada Brown",
        "autoPay": False,
        "billToContact": {
            "firstName": "Ada",
            "lastName": "Brown",
            "address2": "",
            "city": "Springfield",
            "state": "Oregon",
            "zipCode": "97477",
            "country": "US",
            "workEmail": "",
        },
    }
    assert check_body("PUT", "/v1/accounts/stigg--acme", body) == []


def test_an_account_linked_by_hand_is_updated_without_anything_sent_before() -> None:
    body = account_update(build.customer(), tenant=build.TENANT, sent={})
    assert body["billToContact"] == {"firstName": "Acme", "lastName": "Widgets", "country": "DE"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"billing_currency": ""},
            "Customer acme has no billing currency, and an account needs one: fill it in.",
        ),
        (
            {"billing_country": "US"},
            "The address of customer acme is in US, where Zuora needs the state: fill it in.",
        ),
        (
            {"name": "Ada " + "x" * 101},
            "The last name in the name of customer acme has 101 characters and Zuora holds 100: shorten it.",
        ),
        (
            {"name": "x" * 101 + " Brown"},
            "The first name in the name of customer acme has 101 characters and Zuora holds 100: shorten it.",
        ),
        (
            {"name": "Acme \N{ROCKET} Widgets"},
            (
                "The name of customer acme holds '\N{ROCKET}', an emoji or another character that Zuora cannot store: "
                "take it out."
            ),
        ),
        (
            {"billing_city": "x" * 101},
            "The city of customer acme has 101 characters and Zuora holds 100: shorten it.",
        ),
        (
            {"billing_postal_code": "1" * 21},
            "The postal code of customer acme has 21 characters and Zuora holds 20: shorten it.",
        ),
        (
            {"email": "a" * 70 + "@widgets.example"},
            "The e-mail address of customer acme has 86 characters and Zuora holds 80: shorten it.",
        ),
    ],
)
def test_what_zuora_cannot_hold_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        account_body(build.customer(**values), tenant=build.FIELDS)
    assert sentence in caught.value.sentences


def test_another_currency_is_refused_once_the_account_exists() -> None:
    before = account_body(build.customer(), tenant=build.TENANT)
    with pytest.raises(Refused) as caught:
        account_update(build.customer(billing_currency="USD"), tenant=build.TENANT, sent=before)
    assert caught.value.sentences == (
        (
            "Customer acme is billed in USD now, and its Zuora account is in EUR for good: set it back, or make a new "
            "customer."
        ),
    )
