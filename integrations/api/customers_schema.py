"""What customers look like on the wire."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from customers.models import Customer
from customers.provisioning import Details
from integrations.api.errors import bad_input, not_built
from integrations.api.money import Currency
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Input,
    Metadata,
    Moment,
    Name,
    Output,
    Paging,
    RefId,
    SyncState,
    Text,
)
from integrations.api.sync_states import Standing

#: A deployment has one tenant, and so one integration, and knows its id before it is connected.
INTEGRATION_ID = "zuora"
_ZUORA_ONLY = "this deployment bills by Zuora and by nothing else."


def _only_zuora(vendor: str) -> str:
    if vendor != "ZUORA":
        raise not_built(f"vendorIdentifier {vendor}: {_ZUORA_ONLY}")
    return vendor


def _ours(integration_id: str) -> str:
    if integration_id != INTEGRATION_ID:
        raise ValueError(f"no integration has this id: the one that there is is {INTEGRATION_ID!r}")
    return integration_id


Vendor = Annotated[str, AfterValidator(_only_zuora)]
IntegrationId = Annotated[str, AfterValidator(_ours)]
_Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")]


class AddressIn(Input):
    """Where the invoices go; the country in two capitals, as ISO 3166 has it."""

    line1: Text | None = None
    line2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Annotated[Text, StringConstraints(max_length=32)] | None = None
    country: _Country | None = None


class ZuoraIn(Input):
    """What Zuora is told of the customer."""

    billing_address: AddressIn | None = None
    currency: Currency | None = None
    metadata: Metadata | None = None
    payment_method_id: Text | None = None


class PassthroughIn(Input):
    """What the billing system is told of the customer."""

    NOT_BUILT = {"stripe": _ZUORA_ONLY}

    zuora: ZuoraIn | None = None


class LinkIn(Input):
    """The account that Zuora has for the customer already."""

    id: IntegrationId
    synced_entity_id: Text | None
    vendor_identifier: Vendor


class PaymentMethodIn(Input):
    """A payment method that Zuora holds. What is sent of a card is not kept: card data does not pass through here."""

    billing_id: Text | None
    type: Literal["CARD", "BANK", "CASH_APP", "PAYPAL"] | None = None
    card_expiry_month: Any = None
    card_expiry_year: Any = None
    card_last4_digits: Any = Field(None, alias="cardLast4Digits")


class CustomerChange(Input):
    """What of a customer can be changed: what is left out stays as it is, null clears, metadata is replaced whole."""

    name: Text | None = None
    email: Text | None = None
    billing_currency: Currency | None = None
    billing_id: Text | None = Field(None, description="Links an account that Zuora has already.")
    coupon_id: Text | None = Field(None, description="Null or empty takes it away.")
    integrations: list[LinkIn] | None = Field(None, max_length=1)
    language: Annotated[Text, StringConstraints(max_length=35)] | None = None
    metadata: Metadata | None = None
    passthrough: PassthroughIn | None = None
    timezone: Annotated[Text, StringConstraints(max_length=64)] | None = None

    def details(self) -> Details:
        """Return what the domain is to be told.

        Raises:
            ApiError: one thing is said twice, and differently.
        """
        named: dict[str, list[Any]] = {}
        for name, value in self._named():
            named.setdefault(name, []).append(value)
        for name, values in named.items():
            if any(value != values[0] for value in values):
                raise bad_input(f"{name.replace('_', ' ')} is given twice, and differently: send it once.")
        return Details(**{name: values[0] for name, values in named.items()})

    def _named(self) -> Iterable[tuple[str, Any]]:
        given = self.given()
        for name in ("name", "email", "billing_currency", "billing_id", "language", "timezone"):
            if name in given:
                yield name, given[name] or ""
        if "metadata" in given:
            yield "metadata", given["metadata"] or {}
        for link in self.integrations or ():
            yield "billing_id", link.synced_entity_id or ""
        zuora = (self.passthrough and self.passthrough.zuora) or ZuoraIn()
        passed = zuora.given()
        if "currency" in passed:
            yield "billing_currency", passed["currency"] or ""
        if "payment_method_id" in passed:
            yield "payment_method_id", passed["payment_method_id"] or ""
        if "metadata" in passed:
            yield "billing_metadata", passed["metadata"] or {}
        for name, value in (zuora.billing_address.given() if zuora.billing_address else {}).items():
            yield f"billing_{name}", value or ""


class CustomerIn(CustomerChange):
    """A customer."""

    id: RefId
    default_payment_method: PaymentMethodIn | None = None

    def _named(self) -> Iterable[tuple[str, Any]]:
        yield from super()._named()
        if "default_payment_method" in self.model_fields_set:
            method = self.default_payment_method
            yield "payment_method_id", (method.billing_id if method else "") or ""


class ImportedCustomerIn(Input):
    """A customer of another system."""

    NOT_BUILT = {"salesforceId": "customers are not synced with Salesforce here: keep the id in metadata."}

    id: RefId
    name: Text | None
    email: Text | None
    billing_id: Text | None = None
    metadata: Metadata | None = None
    payment_method_id: Text | None = None
    updated_at: Moment | None = Field(None, description="What is older than the stored customer is passed over.")


class ImportedCustomersIn(Input):
    """A batch: all of it is stored, or nothing."""

    customers: list[ImportedCustomerIn] = Field(min_length=1, max_length=1000)
    integration_id: IntegrationId | None = None


class AttachIn(Input):
    """A payment method that Zuora holds."""

    integration_id: IntegrationId
    payment_method_id: Name
    vendor_identifier: Vendor
    billing_currency: Currency | None = None


class NewLinkIn(Input):
    """The account that Zuora has for the customer already."""

    id: IntegrationId
    synced_entity_id: Name
    vendor_identifier: Vendor


class LinkChange(Input):
    """Another account that Zuora has for the customer; null takes the link away."""

    synced_entity_id: Text | None


class CustomerQuery(ByCreation):
    """Which customers."""

    email: Text | None = None
    name: Text | None = None


class LinkQuery(Paging):
    """Which links."""

    vendor_identifier: CommaList[Text] | None = None


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
