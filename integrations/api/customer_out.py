"""What an application is told of customers."""

from datetime import datetime
from typing import Literal

from customers.models import Customer
from integrations.api.customers_schema import INTEGRATION_ID
from integrations.api.schema import Output, SyncState
from integrations.api.sync_states import Standing


class AddressOut(Output):
    """Where the invoices go."""

    line1: str | None
    line2: str | None
    city: str | None
    state: str | None
    postal_code: str | None
    country: str | None


class ZuoraOut(Output):
    """What Zuora is told of the customer."""

    billing_address: AddressOut
    currency: str | None
    metadata: dict[str, str]
    payment_method_id: str | None


class PassthroughOut(Output):
    """What the billing system is told of the customer."""

    zuora: ZuoraOut


class PaymentMethodOut(Output):
    """A payment method that Zuora holds; what it is stands there."""

    billing_id: str
    type: None = None


class LinkOut(Output):
    """Which account of the tenant the customer is; empty until it has one."""

    id: str = INTEGRATION_ID
    synced_entity_id: str | None
    vendor_identifier: Literal["ZUORA"] = "ZUORA"


class LinkDataOut(Output):
    """Where it is in the tenant."""

    billing_id: str
    billing_link_url: str


class FullLinkOut(LinkOut):
    """A link, and where it leads."""

    sync_data: LinkDataOut | None


class ResourceOut(Output):
    """What a customer has subscriptions for, apart: a workspace, a site."""

    id: str
    created_at: datetime
    updated_at: datetime


class NewCustomersOut(Output):
    """Whom the import has made."""

    new_customers: list[str]


class CustomerOut(Output):
    """A customer."""

    id: str
    name: str | None
    email: str | None
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime
    billing_currency: str | None
    billing_id: str | None
    billing_link_url: str | None
    coupon_id: str | None
    default_payment_method: PaymentMethodOut | None
    integrations: list[LinkOut]
    language: str | None
    metadata: dict[str, str]
    passthrough: PassthroughOut
    timezone: str | None
    sync_states: tuple[SyncState, ...]


def full_link(standing: Standing) -> FullLinkOut:
    """Write where a customer is linked to."""
    url = standing.billing_link_url
    data = LinkDataOut(billing_id=standing.billing_id or "", billing_link_url=url) if url else None
    return FullLinkOut(synced_entity_id=standing.billing_id, sync_data=data)


def customer_out(customer: Customer, *, coupon_id: str | None, standing: Standing) -> CustomerOut:
    """Write a customer."""
    address = AddressOut(
        line1=customer.billing_line1 or None,
        line2=customer.billing_line2 or None,
        city=customer.billing_city or None,
        state=customer.billing_state or None,
        postal_code=customer.billing_postal_code or None,
        country=customer.billing_country or None,
    )
    currency, method = customer.billing_currency.lower() or None, customer.payment_method_id or None
    zuora = ZuoraOut(
        billing_address=address, currency=currency, metadata=customer.billing_metadata, payment_method_id=method
    )
    is_linked = bool(standing.states or standing.billing_id)
    return CustomerOut(
        id=customer.ref_id,
        name=customer.name or None,
        email=customer.email or None,
        archived_at=customer.archived_at,
        created_at=customer.created_at,
        updated_at=customer.updated_at,
        billing_currency=currency,
        billing_id=standing.billing_id,
        billing_link_url=standing.billing_link_url,
        coupon_id=coupon_id,
        default_payment_method=PaymentMethodOut(billing_id=method) if method else None,
        integrations=[LinkOut(synced_entity_id=standing.billing_id)] if is_linked else [],
        language=customer.language or None,
        metadata=customer.metadata,
        passthrough=PassthroughOut(zuora=zuora),
        timezone=customer.timezone or None,
        sync_states=standing.states,
    )
