"""Customers are archived, not deleted: what was billed keeps its debtor."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.dispatch import Signal

from customers.models import Customer

#: Sent, with `customer` and `now`, in the transaction that archives: customers do not know who depends on them.
archived = Signal()


@transaction.atomic
def archive(*, customer: Customer, now: datetime) -> None:
    """Take the customer out of business, with all that runs; raises ValidationError when that has happened already."""
    customer.refresh_from_db(from_queryset=Customer.objects.select_for_update())
    if customer.archived_at is not None:
        raise ValidationError(f"{customer} is archived already.")
    customer.archived_at = now
    customer.save(update_fields=["archived_at", "updated_at"])
    archived.send(sender=Customer, customer=customer, now=now)


def unarchive(*, customer: Customer) -> None:
    """Bring the customer back; raises ValidationError when there is nothing to bring back."""
    if customer.archived_at is None:
        raise ValidationError(f"{customer} is not archived.")
    customer.archived_at = None
    customer.save(update_fields=["archived_at", "updated_at"])
