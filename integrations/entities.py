"""The entities that have jobs of their own: one line each."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models import F, Prefetch, Q

from catalog.models import Addon, Coupon, PackageStatus, Plan, Price
from customers.models import Customer
from integrations.models import EntityKind
from subscriptions.models import Subscription


@dataclass(frozen=True)
class Wish:
    """That one entity be pushed; `account` and `other_account` are the Zuora accounts that will be written to."""

    kind: EntityKind
    entity_id: int
    key: str
    account: str = ""
    other_account: str = ""


@dataclass(frozen=True)
class Entity:
    """How the sync finds one kind of entity: its rows, those worth a job, and the accounts that a push writes to."""

    kind: EntityKind
    model: type[models.Model]
    pushed: Q = field(default_factory=Q)
    accounts: Callable[[Any], tuple[str, str]] = lambda _: ("", "")
    related: tuple[str, ...] = ()
    prefetched: tuple[str | Prefetch[Any], ...] = ()

    def load(self, entity_id: int) -> Any:
        """Return the row with all that the mapping reads, or None when it is gone."""
        return self.load_all([entity_id]).get(entity_id)

    def load_all(self, entity_ids: Collection[int]) -> dict[int, Any]:
        """Return the rows by id with all that the mapping reads, without those that are gone."""
        rows = self._all.select_related(*self.related).prefetch_related(*self.prefetched)
        return {row.pk: row for row in rows.filter(pk__in=entity_ids).order_by()}

    def wish(self, row: Any) -> Wish:
        """Return the wish to push this row."""
        account, other = self.accounts(row)
        return Wish(self.kind, row.pk, f"{self.kind.value}:{row.ref_id}", account, other)

    @property
    def _all(self) -> models.QuerySet[Any]:
        return self.model._default_manager.all()  # noqa: SLF001 - Django's public name for it

    def rows(self) -> models.QuerySet[Any]:
        """Return those that are worth a job."""
        return self._all.filter(self.pushed)

    def wishes(self) -> Iterator[Wish]:
        """Return a wish for every row, in chunks from the database."""
        return (self.wish(row) for row in self.rows().order_by("pk").iterator(chunk_size=2000))

    def wishes_after(self, pk: int, *, most: int) -> list[Wish]:
        """Return the wishes for the next rows by key, at most so many."""
        return [self.wish(row) for row in self.rows().filter(pk__gt=pk).order_by("pk")[:most]]

    def wishes_of(self, pks: Collection[int]) -> list[Wish]:
        """Return the wishes for these rows, where they are worth a job."""
        return [self.wish(row) for row in self.rows().filter(pk__in=pks).order_by("pk")] if pks else []


def _payer_and_owner(subscription: Subscription) -> tuple[str, str]:
    owner, payer = subscription.customer_id, subscription.paying_customer_id or subscription.customer_id
    return f"customer:{payer}", f"customer:{owner}" if owner != payer else ""


def _prices_on_sale(package: str) -> Prefetch[Any]:
    version = F(f"{package}__version_number")
    return Prefetch("prices", Price.objects.of_version(version))


_ON_SALE = ~Q(status=PackageStatus.DRAFT)

#: In the order in which parents come before children.
ENTITIES: dict[EntityKind, Entity] = {
    entity.kind: entity
    for entity in (
        Entity(EntityKind.PLAN, Plan, _ON_SALE, prefetched=(_prices_on_sale("plan"),)),
        Entity(EntityKind.ADDON, Addon, _ON_SALE, prefetched=(_prices_on_sale("addon"),)),
        Entity(EntityKind.COUPON, Coupon, prefetched=("amounts",)),
        Entity(EntityKind.CUSTOMER, Customer, accounts=lambda customer: (f"customer:{customer.pk}", "")),
        Entity(
            EntityKind.SUBSCRIPTION,
            Subscription,
            accounts=_payer_and_owner,
            related=("plan", "coupon", "paying_customer", "customer__customer_coupon__coupon"),
            prefetched=(
                "addons__addon__prices__amounts__tiers",
                "addons__addon__prices__feature",
                "plan__prices__amounts__tiers",
                "plan__prices__feature",
                "quantities__feature",
                "price_overrides__tiers",
                "price_overrides__price",
            ),
        ),
    )
}


def entity_of(row: models.Model) -> Entity | None:
    """Return the entity that this row is, or None when it is not one."""
    return next((entity for entity in ENTITIES.values() if isinstance(row, entity.model)), None)
