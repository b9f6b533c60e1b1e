"""How a customer comes into being, and changes.

Source: https://docs.stigg.io/documentation/managing-customers-and-subscriptions/customers
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from customers.models import Customer


@dataclass(frozen=True, kw_only=True)
class Details:
    """What is to be known of a customer; None leaves a thing as it is, an empty text or object clears it.

    The names are those of the model's fields.
    """

    name: str | None = None
    email: str | None = None
    billing_currency: str | None = None
    billing_line1: str | None = None
    billing_line2: str | None = None
    billing_city: str | None = None
    billing_state: str | None = None
    billing_postal_code: str | None = None
    billing_country: str | None = None
    payment_method_id: str | None = None
    billing_id: str | None = None
    billing_metadata: Mapping[str, str] | None = None
    language: str | None = None
    timezone: str | None = None
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Imported:
    """A customer of another system, as it was there at `updated_at`."""

    ref_id: str
    details: Details
    updated_at: datetime | None = None


@transaction.atomic
def provision(*, ref_id: str, details: Details) -> Customer:
    """Return the customer of this id with these details: a new one, or the known one changed.

    Raises:
        ValidationError: the id or a detail cannot be, or the customer is archived.
    """
    customer = Customer.objects.select_for_update().filter(ref_id=ref_id).first()
    if customer is None:
        customer = Customer(ref_id=ref_id)
        _set(customer, details)
        customer.full_clean()
        customer.save()
        return customer
    if customer.archived_at is not None:
        raise ValidationError(f"{customer} is archived: unarchive the customer first.")
    _change(customer, details)
    return customer


@transaction.atomic
def update(*, customer: Customer, details: Details) -> None:
    """Change what is given; who listens to saves hears of nothing when nothing differs.

    Raises:
        ValidationError: a detail cannot be.
    """
    customer.refresh_from_db(from_queryset=Customer.objects.select_for_update())
    _change(customer, details)


@transaction.atomic
def import_customers(*, rows: Sequence[Imported]) -> list[str]:
    """Take over customers of another system; return the ids of the new ones.

    A row that is older than what is stored is passed over, and one that changes nothing writes nothing: twice is once.

    Raises:
        ValidationError: each with the row's index as its code; nothing is stored.
    """
    known = Customer.objects.select_for_update().in_bulk([row.ref_id for row in rows], field_name="ref_id")
    made, problems = [], []
    for index, row in enumerate(rows):
        customer = known.get(row.ref_id)
        if customer is not None and row.updated_at is not None and row.updated_at < customer.updated_at:
            continue
        try:
            if customer is None:
                customer = known[row.ref_id] = Customer(ref_id=row.ref_id)
                made.append(row.ref_id)
            _change(customer, row.details)
        except ValidationError as refusal:
            problems += [ValidationError(message, code=str(index)) for message in refusal.messages]
    if problems:
        raise ValidationError(problems)
    return made


def _change(customer: Customer, details: Details) -> None:
    if _set(customer, details) or customer._state.adding:  # noqa: SLF001 - Django's public name for it
        customer.full_clean()
        customer.save()


def _set(customer: Customer, details: Details) -> bool:
    given = {name: value for name, value in asdict(details).items() if value is not None}
    changed = {name: value for name, value in given.items() if getattr(customer, name) != value}
    for name, value in changed.items():
        setattr(customer, name, value)
    return bool(changed)
