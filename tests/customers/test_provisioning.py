from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models.signals import post_save

from customers.archiving import archive
from customers.models import Customer
from customers.provisioning import Details, Imported, import_customers, provision, update
from tests.factories.customers import CustomerFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


def test_provisioned_again_it_keeps_what_is_left_out_and_replaces_metadata_wholly() -> None:
    provision(ref_id="acme", details=Details(name="Acme", email="a@acme.example", metadata={"a": "1", "b": "2"}))
    provision(ref_id="acme", details=Details(name="Acme Ltd"))
    customer = Customer.objects.get()
    assert (customer.name, customer.email, customer.metadata) == ("Acme Ltd", "a@acme.example", {"a": "1", "b": "2"})
    provision(ref_id="acme", details=Details(metadata={"c": "3"}))
    assert Customer.objects.get().metadata == {"c": "3"}
    provision(ref_id="acme", details=Details(metadata={}, email=""))
    customer = Customer.objects.get()
    assert (customer.metadata, customer.email) == ({}, "")


def test_what_changes_nothing_is_not_saved() -> None:
    customer = CustomerFactory.create(name="Acme")
    saves: list[Any] = []
    post_save.connect(lambda **sent: saves.append(sent), sender=Customer, weak=False, dispatch_uid="test")
    update(customer=customer, details=Details(name="Acme"))
    update(customer=customer, details=Details(name="Other"))
    post_save.disconnect(sender=Customer, dispatch_uid="test")
    assert len(saves) == 1


@pytest.mark.parametrize(
    ("ref_id", "details", "complaint"),
    [
        ("no good", Details(), "Use letters, digits and"),
        ("acme", Details(email="nobody"), "Enter a valid email address"),
        ("acme", Details(billing_currency="euro"), "Give the ISO 4217 code in capitals"),
        ("acme", Details(billing_country="Germany"), "Give the ISO 3166 code in capitals"),
        ("acme", Details(metadata={"a": 1}), "Metadata holds texts only"),  # type: ignore[dict-item]
        ("old", Details(name="New"), "Old is archived: unarchive the customer first"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(ref_id: str, details: Details, complaint: str) -> None:
    archive(customer=CustomerFactory.create(ref_id="old", name="Old"), now=NOW)
    with pytest.raises(ValidationError) as refusal:
        provision(ref_id=ref_id, details=details)
    assert complaint in " ".join(refusal.value.messages)
    assert list(Customer.objects.values_list("name", flat=True)) == ["Old"]


def test_an_import_passes_over_what_is_older_than_what_is_stored_and_twice_is_once() -> None:
    known = provision(ref_id="known", details=Details(name="Now"))
    before, after = known.updated_at - timedelta(hours=1), known.updated_at + timedelta(hours=1)
    rows = [Imported("known", Details(name="Then"), before), Imported("new", Details(name="New"))]
    assert import_customers(rows=rows) == ["new"]
    assert import_customers(rows=rows) == []
    assert dict(Customer.objects.values_list("ref_id", "name")) == {"known": "Now", "new": "New"}
    assert import_customers(rows=[Imported("known", Details(name="Later"), after)]) == []
    assert Customer.objects.get(ref_id="known").name == "Later"


def test_one_that_cannot_be_imported_keeps_all_out_and_says_which() -> None:
    rows = [Imported("good", Details()), Imported("not good", Details()), Imported("acme", Details(email="nobody"))]
    with pytest.raises(ValidationError) as refusal:
        import_customers(rows=rows)
    assert [one.code for one in refusal.value.error_list] == ["1", "2"]
    assert not Customer.objects.exists()
