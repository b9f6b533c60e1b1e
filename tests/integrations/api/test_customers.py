"""Customers, as Stigg's own client asks for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stigg
import time_machine
from pytest_django import DjangoAssertNumQueries

from customers.models import Customer
from integrations.models import SyncStatus
from subscriptions.models import CustomerCoupon
from tests.factories.catalog import CouponFactory, ProductFactory, plan_with_prices
from tests.factories.customers import CustomerFactory
from tests.factories.subscriptions import CustomerCouponFactory, SubscriptionFactory
from tests.factories.usage import NOON
from tests.integrations.conftest import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]

ADDRESS = {"line1": "Weg 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
FULL: dict[str, Any] = {
    "id": "acme",
    "name": "Acme",
    "email": "pay@acme.example",
    "billing_currency": "eur",
    "language": "de",
    "timezone": "Europe/Berlin",
    "metadata": {"region": "emea"},
    "passthrough": {
        "zuora": {"billing_address": ADDRESS, "metadata": {"po": "7"}, "payment_method_id": f"{1:032x}"},
    },
}


def refused(call: Any) -> tuple[int, str, str]:
    with pytest.raises(stigg.APIStatusError) as caught:
        call()
    body: Any = caught.value.body
    return caught.value.status_code, body["code"], body["message"]


def test_all_that_is_told_is_told_again(client: stigg.Stigg) -> None:
    CouponFactory.create(ref_id="loyal")
    told = client.v1.customers.provision(**FULL, coupon_id="loyal").data
    assert told == client.v1.customers.retrieve("acme").data
    assert told.to_dict(mode="json", use_api_names=False, exclude_unset=False) == {
        "id": "acme",
        "name": "Acme",
        "email": "pay@acme.example",
        "archived_at": None,
        "created_at": "2026-03-10T12:00:00Z",
        "updated_at": "2026-03-10T12:00:00Z",
        "billing_currency": "eur",
        "billing_id": None,
        "billingLinkUrl": None,
        "coupon_id": "loyal",
        "default_payment_method": {
            "billing_id": f"{1:032x}",
            **dict.fromkeys(("card_brand", "card_expiry_month", "card_expiry_year", "card_last4_digits", "type")),
            "wallet_type": None,
        },
        "integrations": [],
        "language": "de",
        "metadata": {"region": "emea"},
        "passthrough": {
            "stripe": None,
            "zuora": {
                "billing_address": {**ADDRESS, "line2": None, "state": None},
                "currency": "eur",
                "metadata": {"po": "7"},
                "payment_method_id": f"{1:032x}",
            },
        },
        "syncStates": [],
        "timezone": "Europe/Berlin",
    }


def test_provisioned_again_it_keeps_what_is_left_out(client: stigg.Stigg) -> None:
    client.v1.customers.provision(**FULL)
    again = client.v1.customers.provision(id="acme", metadata={"tier": "1"}, email=None).data
    assert (again.name, again.email, again.metadata) == ("Acme", None, {"tier": "1"})
    assert client.v1.customers.update("acme", metadata={}).data.metadata == {}
    assert Customer.objects.count() == 1


def test_a_coupon_is_held_and_taken_away(client: stigg.Stigg, customer: Customer) -> None:
    CouponFactory.create(ref_id="loyal")
    assert client.v1.customers.update("acme", coupon_id="loyal").data.coupon_id == "loyal"
    assert client.v1.customers.update("acme", name="Other").data.coupon_id == "loyal"
    assert client.v1.customers.update("acme", coupon_id="").data.coupon_id is None
    assert not CustomerCoupon.objects.filter(customer=customer).exists()


@pytest.mark.usefixtures("customer")
def test_a_payment_method_is_attached_and_detached(client: stigg.Stigg) -> None:
    attached = client.v1.customers.payment_method.attach(
        "acme", integration_id="zuora", payment_method_id="8ad0", vendor_identifier="ZUORA", billing_currency="usd"
    ).data
    assert attached.default_payment_method is not None
    assert (attached.default_payment_method.billing_id, attached.billing_currency) == ("8ad0", "usd")
    assert client.v1.customers.payment_method.detach("acme").data.default_payment_method is None


def test_what_is_sent_of_a_card_is_kept_nowhere(client: stigg.Stigg) -> None:
    client.v1.customers.provision(
        id="acme",
        default_payment_method={
            "billing_id": "8ad0",
            "type": "CARD",
            "card_last4_digits": "4242",
            "card_expiry_month": 12,
            "card_expiry_year": 2031,
        },
    )
    row = Customer.objects.values().get()
    assert row["payment_method_id"] == "8ad0"
    assert not any("4242" in str(value) or "2031" in str(value) for value in row.values())


def test_an_archived_customer_is_let_be_until_it_is_back(client: stigg.Stigg, customer: Customer) -> None:
    subscription = SubscriptionFactory.create(customer=customer)
    assert client.v1.customers.archive("acme").data.archived_at == NOON
    subscription.refresh_from_db()
    assert (subscription.status, subscription.cancel_reason) == ("CANCELED", "CustomerArchived")
    assert refused(lambda: client.v1.customers.archive("acme"))[0] == 400
    assert refused(lambda: client.v1.customers.provision(id="acme", name="New"))[:2] == (400, "BadUserInput")
    assert client.v1.customers.unarchive("acme").data.archived_at is None


def test_an_import_is_whole_and_twice_once(client: stigg.Stigg) -> None:
    rows: list[Any] = [
        {"id": "a", "name": "A", "email": None, "metadata": {"k": "v"}, "payment_method_id": "8ad0"},
        {"id": "b", "name": "B", "email": "b@b.example", "billing_id": "A-1", "updated_at": NOON},
    ]
    assert client.v1.customers.import_(customers=rows).data.new_customers == ["a", "b"]
    assert client.v1.customers.import_(customers=rows).data.new_customers == []
    older: list[Any] = [{**rows[1], "name": "Old", "updated_at": NOON - timedelta(days=1)}]
    client.v1.customers.import_(customers=older)
    assert dict(Customer.objects.values_list("ref_id", "name")) == {"a": "A", "b": "B"}


def test_an_import_with_a_bad_row_stores_nothing_and_says_which(client: stigg.Stigg) -> None:
    rows: list[Any] = [{"id": "a", "name": "A", "email": None}, {"id": "b", "name": "B", "email": "nobody"}]
    with pytest.raises(stigg.BadRequestError) as caught:
        client.v1.customers.import_(customers=rows)
    body: Any = caught.value.body
    assert body["errors"] == [{"index": 1, "code": "BadUserInput", "message": "Enter a valid email address."}]
    assert not Customer.objects.exists()


def test_lists_are_read_page_by_page_and_filtered(client: stigg.Stigg) -> None:
    for number in range(5):
        CustomerFactory.create(ref_id=f"c{number}", name="Twin" if number in {1, 3} else f"C{number}")
    assert [one.id for one in client.v1.customers.list(limit=2)] == ["c0", "c1", "c2", "c3", "c4"]
    assert [one.id for one in client.v1.customers.list(name="Twin")] == ["c1", "c3"]
    assert [one.id for one in client.v1.customers.list(created_at={"gt": NOON})] == []


@pytest.mark.parametrize("rows", [1, 3])
def test_a_page_costs_the_same_for_one_and_for_three(
    rows: int, client: stigg.Stigg, world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(rows):
        CustomerCouponFactory.create()
    world.settle()
    with django_assert_num_queries(5):
        client.v1.customers.list()


def test_resources_are_those_of_its_subscriptions(client: stigg.Stigg, customer: Customer) -> None:
    plan = plan_with_prices(product=ProductFactory.create(multiple_subscriptions=True))
    for resource in ("site-2", "site-1", "site-2", ""):
        SubscriptionFactory.create(customer=customer, resource_id=resource, plan=plan)
    assert [one.id for one in client.v1.customers.list_resources("acme", limit=1)] == ["site-2", "site-1"]


class TestLinks:
    def test_a_link_by_hand_is_made_read_changed_and_taken_back(self, client: stigg.Stigg, customer: Customer) -> None:
        links = client.v1.customers.integrations
        assert list(links.list("acme")) == []
        made = links.link("acme", body_id="zuora", synced_entity_id="A-1", vendor_identifier="ZUORA").data
        assert (made.id, made.synced_entity_id, made.vendor_identifier) == ("zuora", "A-1", "ZUORA")
        assert [one.synced_entity_id for one in links.list("acme", vendor_identifier=["ZUORA"])] == ["A-1"]
        assert list(links.list("acme", vendor_identifier=["STRIPE"])) == []
        taken = refused(lambda: links.link("acme", body_id="zuora", synced_entity_id="A-2", vendor_identifier="ZUORA"))
        assert taken[:2] == (409, "IntegrationAlreadyLinked")
        assert links.update("zuora", id="acme", synced_entity_id="A-2").data.synced_entity_id == "A-2"
        customer.refresh_from_db()
        assert customer.billing_id == "A-2"
        assert links.retrieve("zuora", id="acme").data.synced_entity_id == "A-2"
        links.unlink("zuora", id="acme")
        assert refused(lambda: links.retrieve("zuora", id="acme"))[:2] == (404, "IntegrationNotFound")

    def test_what_zuora_has_is_told_and_not_let_go(self, client: stigg.Stigg, world: World) -> None:
        SubscriptionFactory.create(customer__ref_id="acme")
        world.settle()
        record = world.record("customer:acme")
        told: Any = client.v1.customers.retrieve("acme").data
        assert told.billing_id == record.zuora_id
        assert told.syncStates == [
            {"vendorIdentifier": "ZUORA", "status": "SUCCESS", "syncedEntityId": record.zuora_id, "error": None}
        ]
        link = client.v1.customers.integrations.retrieve("zuora", id="acme").data
        assert link.sync_data is not None
        assert link.sync_data.to_dict() == {"billingId": record.zuora_id, "billingLinkUrl": told.billingLinkUrl}
        answer = refused(lambda: client.v1.customers.integrations.unlink("zuora", id="acme"))
        assert answer[:2] == (409, "CannotChangeBillingIntegration")
        assert record.status == SyncStatus.SUCCESS


@pytest.mark.parametrize(
    ("sent", "status", "code", "sentence"),
    [
        ({"id": "no good"}, 400, "BadUserInput", "id: it begins with a letter or a digit"),
        ({"id": "acme", "email": "nobody"}, 400, "BadUserInput", "email: Enter a valid email address."),
        ({"id": "acme", "billing_currency": "EUR"}, 400, "BadUserInput", "billingCurrency: it is no currency"),
        ({"id": "acme", "coupon_id": "none"}, 404, "CouponNotFound", "No coupon has the id 'none'."),
        ({"id": "acme", "metadata": {"a": 1}}, 400, "BadUserInput", "metadata.a: it should be a valid string."),
        (
            {"id": "acme", "passthrough": {"stripe": {"customer_name": "A"}}},
            501,
            "NotImplemented",
            "stripe: this deployment bills by Zuora and by nothing else.",
        ),
        (
            {"id": "acme", "billing_currency": "eur", "passthrough": {"zuora": {"currency": "usd"}}},
            400,
            "BadUserInput",
            "billing currency is given twice, and differently: send it once.",
        ),
        (
            {"id": "acme", "passthrough": {"zuora": {"billing_address": {"country": "Germany"}}}},
            400,
            "BadUserInput",
            "passthrough.zuora.billingAddress.country: give the ISO 3166 code",
        ),
        (
            {
                "id": "acme",
                "integrations": [{"id": "other", "synced_entity_id": "A-1", "vendor_identifier": "ZUORA"}],
            },
            400,
            "BadUserInput",
            "integrations.0.id: no integration has this id: the one that there is is 'zuora'.",
        ),
        (
            {
                "id": "acme",
                "integrations": [{"id": "zuora", "synced_entity_id": "A-1", "vendor_identifier": "STRIPE"}],
            },
            501,
            "NotImplemented",
            "vendorIdentifier STRIPE: this deployment bills by Zuora and by nothing else.",
        ),
    ],
)
def test_bad_input_is_told_and_stores_nothing(
    client: stigg.Stigg, sent: Any, status: int, code: str, sentence: str
) -> None:
    answer = refused(lambda: client.v1.customers.provision(**sent))
    assert answer[:2] == (status, code)
    assert answer[2].startswith(sentence)
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("POST", "/archive"),
        ("POST", "/unarchive"),
        ("GET", "/resources"),
        ("DELETE", "/payment-method"),
        ("GET", "/integrations"),
        ("GET", "/integrations/zuora"),
        ("DELETE", "/integrations/zuora"),
    ],
)
def test_an_unknown_id_is_not_found(http: httpx.Client, token: str, method: str, path: str) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None
    answer = http.request(method, f"/api/v1/customers/nobody{path}", headers={"X-API-KEY": token}, json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "CustomerNotFound")


def test_a_customer_is_made_once_under_one_idempotency_key(client: stigg.Stigg) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = client.v1.customers.provision(**FULL, extra_headers=headers).data
    with time_machine.travel(datetime(2026, 3, 10, 13, tzinfo=UTC), tick=False):
        client.v1.customers.update("acme", name="Changed")
        again = client.v1.customers.provision(**FULL, extra_headers=headers).data
    assert again == first
    assert Customer.objects.get().name == "Changed"
