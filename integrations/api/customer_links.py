"""Which account of the tenant a customer is (https://docs.stigg.io/api-reference/customers)."""

from http import HTTPStatus

from customers import provisioning
from customers.models import Customer
from customers.provisioning import Details
from integrations.api.customer_out import FullLinkOut, full_link
from integrations.api.customers_schema import INTEGRATION_ID, LinkChange, LinkQuery, NewLinkIn
from integrations.api.errors import conflict, not_found
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.schema import Data, Page, Pagination
from integrations.api.sync_states import Standing, standings
from integrations.models import EntityKind, SyncRecord

_TAG = "Customers"
_LINKS = "/api/v1/customers/{customer_id}/integrations"


@operation("GET", _LINKS, tag=_TAG)
def list_customer_links(_call: Call, *, query: LinkQuery, customer_id: str) -> Page[FullLinkOut]:
    """List the customer's link to Zuora: one, or none."""
    standing = _standing(find(Customer.objects.all(), customer_id))
    is_asked = query.vendor_identifier is None or "ZUORA" in query.vendor_identifier
    found = [full_link(standing)] if is_asked and _is_there(standing) and not (query.after or query.before) else []
    return Page(data=found, pagination=Pagination(next=None, prev=None))


@operation("POST", _LINKS, tag=_TAG, status=HTTPStatus.CREATED)
def link_customer(_call: Call, *, body: NewLinkIn, customer_id: str) -> Data[FullLinkOut]:
    """Say which account the customer is in Zuora: it is taken over instead of making another one."""
    customer = find(Customer.objects.all(), customer_id)
    standing = _standing(customer)
    if standing.billing_id not in {None, body.synced_entity_id}:
        raise conflict("IntegrationAlreadyLinked", f"{customer} is linked to {standing.billing_id}: change that link.")
    return _linked(customer, body.synced_entity_id)


@operation("GET", _LINKS + "/{integration_id}", tag=_TAG)
def retrieve_customer_link(_call: Call, *, customer_id: str, integration_id: str) -> Data[FullLinkOut]:
    """Read the customer's link to Zuora."""
    return Data(data=full_link(_link(find(Customer.objects.all(), customer_id), integration_id)))


@operation("PATCH", _LINKS + "/{integration_id}", tag=_TAG)
def update_customer_link(_call: Call, *, body: LinkChange, customer_id: str, integration_id: str) -> Data[FullLinkOut]:
    """Say which other account the customer is in Zuora."""
    customer = find(Customer.objects.all(), customer_id)
    _link(customer, integration_id)
    if not body.synced_entity_id:
        return _unlinked(customer)
    return _linked(customer, body.synced_entity_id)


@operation("DELETE", _LINKS + "/{integration_id}", tag=_TAG)
def unlink_customer(_call: Call, *, customer_id: str, integration_id: str) -> Data[FullLinkOut]:
    """Take a link back that was made by hand, as long as nothing has been synced over it."""
    customer = find(Customer.objects.all(), customer_id)
    _link(customer, integration_id)
    return _unlinked(customer)


def _linked(customer: Customer, billing_id: str) -> Data[FullLinkOut]:
    provisioning.update(customer=customer, details=Details(billing_id=billing_id))
    return Data(data=full_link(_standing(customer)))


def _unlinked(customer: Customer) -> Data[FullLinkOut]:
    records = SyncRecord.objects.filter(kind=EntityKind.CUSTOMER, root_id=customer.pk).exclude(zuora_id="")
    if (record := records.first()) is not None:
        raise conflict(
            "CannotChangeBillingIntegration",
            f"{customer} is account {record.zuora_number or record.zuora_id} in Zuora, which would stay there with "
            "nobody to look after it: archive the customer instead, or link another account.",
        )
    before = _standing(customer)
    provisioning.update(customer=customer, details=Details(billing_id=""))
    return Data(data=full_link(before))


def _link(customer: Customer, integration_id: str) -> Standing:
    standing = _standing(customer)
    if integration_id != INTEGRATION_ID or not _is_there(standing):
        raise not_found("IntegrationNotFound", f"{customer} has no link {integration_id!r}.")
    return standing


def _is_there(standing: Standing) -> bool:
    return bool(standing.billing_id)


def _standing(customer: Customer) -> Standing:
    return standings(EntityKind.CUSTOMER, [customer])[customer.pk]
