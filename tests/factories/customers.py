"""Customers, with no surprises: one that can be billed."""

# mypy: disable-error-code="no-untyped-call"
# factory_boy types its factories, but not yet its declarations.

from factory.declarations import LazyAttribute, Sequence
from factory.django import DjangoModelFactory

from customers.models import Customer


class CustomerFactory(DjangoModelFactory[Customer]):
    class Meta:
        model = Customer

    ref_id = Sequence(lambda n: f"customer-{n}")
    name = Sequence(lambda n: f"Customer {n}")
    email = LazyAttribute(lambda customer: f"{customer.ref_id}@billing.example")
    billing_currency = "EUR"
    billing_line1 = "Beispielweg 1"
    billing_city = "Berlin"
    billing_postal_code = "10115"
    billing_country = "DE"
    payment_method_id = Sequence(lambda n: f"{n:032x}")
