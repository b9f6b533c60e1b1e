"""Customers are archived, not deleted: what was billed keeps its debtor."""

from datetime import datetime

from django.core.exceptions import ValidationError

from customers.models import Customer


def archive(*, customer: Customer, now: datetime) -> None:
    """Take the customer out of business; raises ValidationError when that has happened already."""
    if customer.archived_at is not None:
        raise ValidationError(f"{customer} is archived already.")
    customer.archived_at = now
    customer.save(update_fields=["archived_at", "updated_at"])


def unarchive(*, customer: Customer) -> None:
    """Bring the customer back; raises ValidationError when there is nothing to bring back."""
    if customer.archived_at is None:
        raise ValidationError(f"{customer} is not archived.")
    customer.archived_at = None
    customer.save(update_fields=["archived_at", "updated_at"])
