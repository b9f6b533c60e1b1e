"""A customer as a Zuora account with its bill-to contact inline.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Account/
"""

from collections.abc import Mapping
from typing import Any

from customers.models import Customer
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.refusal import Refusals
from integrations.zuora.mapping.tenant import CUSTOMER_ID, ENTITY_URL, Tenant

NAME_LIMIT = 255
PERSON_LIMIT = 100
#: Zuora's member, our field, what a person calls it, and how much Zuora holds. Accounts say zipCode, orders postalCode.
_ADDRESS = (
    ("address1", "billing_line1", "address, line 1", 255),
    ("address2", "billing_line2", "address, line 2", 255),
    ("city", "billing_city", "city", 100),
    ("state", "billing_state", "state", 100),
    ("zipCode", "billing_postal_code", "postal code", 20),
    ("country", "billing_country", "country", 64),
    ("workEmail", "email", "e-mail address", 80),
)
_COUNTRIES_WITH_STATES = {"US", "CA"}


def account_body(customer: Customer, *, tenant: Tenant) -> Body:
    """Return the body that creates the account.

    Raises:
        Refused: Zuora cannot hold it; every reason at once.
    """
    refusals = Refusals()
    if not customer.billing_currency:
        refusals.add(f"Customer {customer.ref_id} has no billing currency, and an account needs one: fill it in.")
    body = {
        **_lasting(customer, tenant, refusals),
        "accountNumber": keys.account_number(customer.ref_id, prefix=tenant.key_prefix),
        "currency": customer.billing_currency,
        # 0: Zuora takes the day on which the first subscription begins.
        "billCycleDay": 0,
        "autoPay": customer.has_payment_method,
    }
    if customer.has_payment_method:
        body["hpmCreditCardPaymentMethodId"] = customer.payment_method_id
    refusals.answer()
    return body


def account_update(customer: Customer, *, tenant: Tenant, sent: Mapping[str, Any]) -> Body:
    """Return the body that brings the account up to date; `sent` is the body that was sent last.

    A part of the contact that was sent and is empty now is emptied there; one that was never sent is left alone, for
    people may have filled it in by hand. Currency and account number cannot change.

    Source: https://developer.zuora.com/v1-api-reference/api/operation/PUT_Account/

    Raises:
        Refused: Zuora cannot hold it, or the currency is another one now; every reason at once.
    """
    refusals = Refusals()
    if (before := sent.get("currency")) and customer.billing_currency != before:
        refusals.add(
            f"Customer {customer.ref_id} is billed in {customer.billing_currency or 'no currency'} now, and its Zuora "
            f"account is in {before} for good: set it back, or make a new customer."
        )
    body = _lasting(customer, tenant, refusals)
    body["billToContact"] = {
        **dict.fromkeys(sent.get("billToContact", {}), ""),
        **body["billToContact"],
    }
    body["autoPay"] = customer.has_payment_method
    if customer.has_payment_method:
        body["defaultPaymentMethodId"] = customer.payment_method_id
    refusals.answer()
    return body


def _lasting(customer: Customer, tenant: Tenant, refusals: Refusals) -> Body:
    who = f"customer {customer.ref_id}"
    name = " ".join(customer.name.split()) or customer.email or customer.ref_id
    url = tenant.entity_url("customers", customer.ref_id)
    return {
        "name": refusals.text(name, what=f"The name of {who}", limit=NAME_LIMIT),
        "billToContact": _contact(customer, who, refusals),
        **tenant.custom("Account", refusals, **{ENTITY_URL: url, CUSTOMER_ID: customer.ref_id}),
    }


def _contact(customer: Customer, who: str, refusals: Refusals) -> Body:
    """Return the bill-to contact.

    Zuora wants a first and a last name, Stigg has one name: the last word is the last name and the rest the first. A
    single word is the first name, and the last name a dash. Without a name, the part of the e-mail address before the
    @ is taken, and without that the reference id.
    """
    words = customer.name.split() or [customer.email.partition("@")[0] or customer.ref_id]
    first, last = (" ".join(words[:-1]), words[-1]) if len(words) > 1 else (words[0], "-")
    if customer.billing_country in _COUNTRIES_WITH_STATES and not customer.billing_state:
        refusals.add(f"The address of {who} is in {customer.billing_country}, where Zuora needs the state: fill it in.")
    address = {
        member: refusals.text(value, what=f"The {called} of {who}", limit=limit)
        for member, field, called, limit in _ADDRESS
        if (value := getattr(customer, field))
    }
    return {
        "firstName": refusals.text(first, what=f"The first name in the name of {who}", limit=PERSON_LIMIT),
        "lastName": refusals.text(last, what=f"The last name in the name of {who}", limit=PERSON_LIMIT),
        **address,
    }
