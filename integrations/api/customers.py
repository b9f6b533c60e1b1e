"""Customers (https://docs.stigg.io/api-reference/customers)."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery

from catalog.models import Coupon
from customers import archiving, provisioning
from customers.models import Customer
from customers.provisioning import Details, Imported
from integrations.api.customer_out import CustomerOut, NewCustomersOut, ResourceOut, customer_out
from integrations.api.customers_schema import AttachIn, CustomerChange, CustomerIn, CustomerQuery, ImportedCustomersIn
from integrations.api.errors import batch_refusal
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.paging import page
from integrations.api.schema import Data, Page, Paging
from integrations.api.sync_states import standings
from integrations.collecting import collecting
from integrations.models import EntityKind
from integrations.tasks import ring_sweep
from subscriptions import coupons
from subscriptions.models import Subscription

_TAG = "Customers"


@operation("POST", "/api/v1/customers", tag=_TAG, status=HTTPStatus.CREATED)
def provision_customer(call: Call, *, body: CustomerIn) -> Data[CustomerOut]:
    """Make a customer, or change the one of this id: what is left out stays, metadata is replaced as a whole."""
    return _kept(provisioning.provision(ref_id=body.id, details=body.details()), body, now=call.now)


@operation("GET", "/api/v1/customers", tag=_TAG)
def list_customers(_call: Call, *, query: CustomerQuery) -> Page[CustomerOut]:
    """List customers."""
    asked = {"email": query.email, "name": query.name}
    rows = _customers().filter(**query.conditions(), **{name: text for name, text in asked.items() if text is not None})
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/customers/{customer_id}", tag=_TAG)
def retrieve_customer(_call: Call, *, customer_id: str) -> Data[CustomerOut]:
    """Read a customer."""
    return _data(find(_customers(), customer_id))


@operation("PATCH", "/api/v1/customers/{customer_id}", tag=_TAG)
def update_customer(call: Call, *, body: CustomerChange, customer_id: str) -> Data[CustomerOut]:
    """Change a customer: what is left out stays, metadata is replaced as a whole."""
    customer = find(Customer.objects.all(), customer_id)
    provisioning.update(customer=customer, details=body.details())
    return _kept(customer, body, now=call.now)


@operation("POST", "/api/v1/customers/import", tag=_TAG, status=HTTPStatus.CREATED)
def import_customers(call: Call, *, body: ImportedCustomersIn) -> Data[NewCustomersOut]:
    """Take over customers of another system: all of them or none, and twice is once."""
    rows = [
        Imported(
            ref_id=one.id,
            details=Details(
                name=one.name or "",
                email=one.email or "",
                billing_id=one.billing_id,
                metadata=one.metadata,
                payment_method_id=one.payment_method_id,
            ),
            updated_at=one.updated_at,
        )
        for one in body.customers
    ]
    try:
        with collecting(now=call.now):
            made = provisioning.import_customers(rows=rows)
    except ValidationError as refusal:
        raise batch_refusal(refusal) from refusal
    transaction.on_commit(ring_sweep, robust=True)
    return Data(data=NewCustomersOut(new_customers=made))


@operation("POST", "/api/v1/customers/{customer_id}/archive", tag=_TAG)
def archive_customer(call: Call, *, customer_id: str) -> Data[CustomerOut]:
    """Take a customer out of business; the subscriptions end with it."""
    customer = find(Customer.objects.all(), customer_id)
    archiving.archive(customer=customer, now=call.now)
    return _data(customer)


@operation("POST", "/api/v1/customers/{customer_id}/unarchive", tag=_TAG)
def unarchive_customer(_call: Call, *, customer_id: str) -> Data[CustomerOut]:
    """Bring a customer back; what has ended stays ended."""
    customer = find(Customer.objects.all(), customer_id)
    archiving.unarchive(customer=customer)
    return _data(customer)


@operation("GET", "/api/v1/customers/{customer_id}/resources", tag=_TAG)
def list_customer_resources(_call: Call, *, query: Paging, customer_id: str) -> Page[ResourceOut]:
    """List what the customer has had subscriptions for."""
    customer = find(Customer.objects.all(), customer_id)
    own = Subscription.objects.filter(customer=customer).exclude(resource_id="")
    same = own.filter(resource_id=OuterRef("resource_id")).order_by()
    latest = same.values("resource_id").annotate(at=Max("updated_at")).values("at")
    firsts = own.filter(~Exists(same.filter(pk__lt=OuterRef("pk")))).annotate(latest=Subquery(latest))
    return page(firsts, query=query, write=_resources)


@operation("POST", "/api/v1/customers/{customer_id}/payment-method", tag=_TAG)
def attach_payment_method(_call: Call, *, body: AttachIn, customer_id: str) -> Data[CustomerOut]:
    """Name the payment method, one that Zuora holds, that the customer pays by."""
    customer = find(Customer.objects.all(), customer_id)
    details = Details(payment_method_id=body.payment_method_id, billing_currency=body.billing_currency)
    provisioning.update(customer=customer, details=details)
    return _data(customer)


@operation("DELETE", "/api/v1/customers/{customer_id}/payment-method", tag=_TAG)
def detach_payment_method(_call: Call, *, customer_id: str) -> Data[CustomerOut]:
    """Forget the payment method that the customer pays by; Zuora keeps it."""
    customer = find(Customer.objects.all(), customer_id)
    provisioning.update(customer=customer, details=Details(payment_method_id=""))
    return _data(customer)


def _kept(customer: Customer, body: CustomerChange, *, now: datetime) -> Data[CustomerOut]:
    """Give the customer its coupon, too, and write it."""
    if "coupon_id" in body.model_fields_set:
        coupon = find(Coupon.objects.all(), body.coupon_id) if body.coupon_id else None
        coupons.hold(customer=customer, coupon=coupon, now=now)
    return _data(customer)


def _customers() -> QuerySet[Customer]:
    return Customer.objects.select_related("customer_coupon__coupon")


def _resources(firsts: Sequence[Subscription]) -> list[ResourceOut]:
    return [
        ResourceOut(id=one.resource_id, created_at=one.created_at, updated_at=one.latest)  # type: ignore[attr-defined]
        for one in firsts
    ]


def _data(customer: Customer) -> Data[CustomerOut]:
    return Data(data=_out([_customers().get(pk=customer.pk)])[0])


def _out(customers: Sequence[Customer]) -> list[CustomerOut]:
    standing = standings(EntityKind.CUSTOMER, customers)
    return [customer_out(one, coupon_id=_coupon_id(one), standing=standing[one.pk]) for one in customers]


def _coupon_id(customer: Customer) -> str | None:
    held = getattr(customer, "customer_coupon", None)
    return held.coupon.ref_id if held else None
