"""What an application sends of customers."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

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
    Paging,
    RefId,
    Text,
)

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


def _country(code: str) -> str:
    if code and not (len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()):  # noqa: PLR2004 - ISO 3166
        raise ValueError("give the ISO 3166 code in two capitals, for example DE")
    return code


Vendor = Annotated[str, AfterValidator(_only_zuora)]
IntegrationId = Annotated[str, AfterValidator(_ours)]
_Country = Annotated[str, AfterValidator(_country), WithJsonSchema({"type": "string", "pattern": "^([A-Z]{2})?$"})]


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
