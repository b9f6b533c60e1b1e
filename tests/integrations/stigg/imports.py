"""Imports to their end, and what they leave behind."""

from catalog.models import Addon, Coupon, Feature, Plan, Price, Product
from customers.models import Customer
from integrations import operations
from integrations.bulk import KINDS
from integrations.models import Operation
from integrations.stigg import importing
from subscriptions.models import Subscription
from tests.integrations.stigg.conftest import NOW


def run(*, dry_run: bool = False) -> Operation:
    """Import to the end."""
    operation = importing.start(actor=None, now=NOW, dry_run=dry_run)
    for _ in range(1000):
        ran = operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=lambda: NOW, seconds=99)
        if ran.again is None:
            break
    operation.refresh_from_db()
    return operation


def lines(operation: Operation) -> list[tuple[str, str, str]]:
    return list(operation.lines.values_list("key", "outcome", "text"))


def counts() -> list[int]:
    return [model.objects.count() for model in (Product, Feature, Coupon, Addon, Plan, Price, Customer, Subscription)]
