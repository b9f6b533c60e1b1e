from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from customers.archiving import archive, unarchive
from customers.models import Customer
from tests.admin_pages import act, complaints, post, said, url
from tests.factories.customers import CustomerFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def test_a_customer_is_archived_and_comes_back() -> None:
    customer = CustomerFactory.create(name="Acme")
    archive(customer=customer, now=NOW)
    assert Customer.objects.get().archived_at == NOW
    with pytest.raises(ValidationError, match="Acme is archived already"):
        archive(customer=customer, now=NOW)

    unarchive(customer=customer)
    assert Customer.objects.get().archived_at is None
    with pytest.raises(ValidationError, match="Acme is not archived"):
        unarchive(customer=customer)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_the_same_for_one_row_and_for_three(
    rows: int, admin_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    CustomerFactory.create_batch(rows)
    with django_assert_num_queries(9):
        response = admin_client.get(url("customers_customer", "changelist"))
    assert response.context["cl"].result_count == rows


def test_the_list_is_filtered_by_state(admin_client: Client) -> None:
    here, gone = CustomerFactory.create(), CustomerFactory.create(archived_at=NOW)
    address = url("customers_customer", "changelist")
    assert list(admin_client.get(address, {"archived": "no"}).context["cl"].queryset) == [here]
    assert list(admin_client.get(address, {"archived": "yes"}).context["cl"].queryset) == [gone]


def test_customers_are_added_and_changed(admin_client: Client) -> None:
    response = post(admin_client, url("customers_customer", "add"), ref_id="acme", name="Acme", metadata="")
    assert response.redirect_chain == [(url("customers_customer", "changelist"), 302)]
    customer = Customer.objects.get()
    assert (customer.ref_id, customer.metadata) == ("acme", {})

    post(
        admin_client,
        url("customers_customer", "change", customer.pk),
        ref_id="other",
        billing_currency="EUR",
        billing_country="DE",
        metadata='{"ZUORA__x": "y"}',
    )
    customer.refresh_from_db()
    assert (customer.ref_id, customer.has_billing_information) == ("acme", True)
    assert customer.metadata == {"ZUORA__x": "y"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ref_id": "-acme"}, "Use letters, digits and . _ - : @ | + only, and begin with a letter or a digit."),
        ({"billing_currency": "eur"}, "Give the ISO 4217 code in capitals, for example EUR."),
        ({"billing_country": "de"}, "Give the ISO 3166 code in capitals, for example DE."),
        (
            {"metadata": '{"seats": 3}'},
            'Metadata holds texts only: write the value of "seats" in quotes, without lists or objects in it.',
        ),
        ({"metadata": "3"}, 'Metadata is an object of texts, for example {"region": "emea"}.'),
    ],
)
def test_what_is_not_sound_is_told(changes: dict[str, str], sentence: str, admin_client: Client) -> None:
    response = post(admin_client, url("customers_customer", "add"), **{"ref_id": "acme", **changes})
    assert complaints(response) == [sentence]
    assert not Customer.objects.exists()


def test_the_actions_archive_and_unarchive(admin_client: Client) -> None:
    here, gone = CustomerFactory.create(name="Here"), CustomerFactory.create(name="Gone", archived_at=NOW)
    assert said(act(admin_client, "customers_customer", "archive", here, gone)) == [
        "Here: archived.",
        "Gone is archived already.",
    ]
    assert said(act(admin_client, "customers_customer", "unarchive", here)) == ["Here: in business again."]


@pytest.fixture
def kept() -> Any:
    """Somebody who must keep every customer called Kept."""

    def refuse(instance: Customer, **_: Any) -> None:
        if instance.name == "Kept":
            raise ProtectedError("Kept is billed elsewhere: archive it instead.", {instance})

    pre_delete.connect(refuse, sender=Customer)
    yield
    pre_delete.disconnect(refuse, sender=Customer)


@pytest.mark.usefixtures("kept")
def test_a_refused_deletion_is_told_and_nothing_is_deleted(admin_client: Client) -> None:
    kept, other = CustomerFactory.create(name="Kept"), CustomerFactory.create(name="Other")
    sentence = "Nothing was deleted. Kept is billed elsewhere: archive it instead."

    one = admin_client.post(url("customers_customer", "delete", kept.pk), {"post": "yes"}, follow=True)
    assert one.request["PATH_INFO"] == url("customers_customer", "change", kept.pk)
    assert said(one) == [sentence]
    assert said(act(admin_client, "customers_customer", "delete_selected", other, kept, post="yes")) == [sentence]
    assert list(Customer.objects.order_by("pk")) == [kept, other]
