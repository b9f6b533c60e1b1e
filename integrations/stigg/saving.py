"""Two ways to store what an import brings: row by row, with the model's own words for what is wrong, or a page at once.

A page is tried at once; where the database refuses one of its rows, all of it is undone and goes row by row, so that
only the row that is wrong is skipped, with a sentence.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.db import models
from django.utils import timezone

from customers.models import Customer
from integrations.collecting import collect_stored
from subscriptions.models import (
    CustomerCoupon,
    PriceOverride,
    PriceOverrideTier,
    ScheduledChange,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)

#: What is stored in bulk, parents before children.
_IN_ORDER: tuple[type[models.Model], ...] = (
    Customer,
    CustomerCoupon,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
    PriceOverride,
    PriceOverrideTier,
    ScheduledChange,
)


class Saver(Protocol):
    """Stores rows; `changed` are the fields of a row that are new."""

    def save(self, row: models.Model, changed: Collection[str]) -> None:
        """Store it. Raises ValidationError: a field or a constraint does not take it."""

    def delete(self, row: models.Model) -> None:
        """Delete it."""

    def afterwards(self, act: Callable[[], object]) -> None:
        """Do that once everything before it is stored."""


class AtOnce:
    """Stores each row when it is told to, as a form would, with the signals of a save."""

    def save(self, row: models.Model, changed: Collection[str]) -> None:  # noqa: ARG002 - a save stores all of it
        row.clean_fields()
        row.validate_constraints()
        row.save()

    def delete(self, row: models.Model) -> None:
        row.delete()

    def afterwards(self, act: Callable[[], object]) -> None:
        act()


class InBulk:
    """Keeps rows, and stores all of them together, in a few statements for each model; their wishes are collected.

    What they refer to is at hand, so it is not looked for again; constraints are left to the database.
    """

    def __init__(self) -> None:
        self._saves: list[tuple[models.Model, tuple[str, ...]]] = []
        self._deletes: list[models.Model] = []
        self._acts: list[Callable[[], object]] = []

    def save(self, row: models.Model, changed: Collection[str]) -> None:
        row.clean_fields(exclude=_references(type(row)))
        self._saves.append((row, tuple(changed)))

    def delete(self, row: models.Model) -> None:
        self._deletes.append(row)

    def afterwards(self, act: Callable[[], object]) -> None:
        self._acts.append(act)

    @contextmanager
    def forgetting_failures(self) -> Iterator[None]:
        """Forget what the block told to store when it fails."""
        kept = len(self._saves), len(self._deletes), len(self._acts)
        try:
            yield
        except BaseException:
            del self._saves[kept[0] :], self._deletes[kept[1] :], self._acts[kept[2] :]
            raise

    def flush(self) -> None:
        """Store everything, in the caller's transaction.

        Raises:
            IntegrityError, DataError, ValueError: the database does not take one of the rows.
        """
        for model in _IN_ORDER:
            if gone := [row.pk for row in self._deletes if type(row) is model]:
                model._default_manager.filter(pk__in=gone).delete()  # noqa: SLF001 - Django's public name
            if told := [one for one in self._saves if type(one[0]) is model]:
                _store(model, told)
        for act in self._acts:
            act()


def _store(model: type[models.Model], told: list[tuple[models.Model, tuple[str, ...]]]) -> None:
    manager: Any = model._default_manager  # noqa: SLF001 - Django's public name
    new: dict[int, models.Model] = {id(row): row for row, _ in told if row.pk is None}
    changed: dict[tuple[str, ...], list[models.Model]] = defaultdict(list)
    for row, names in told:
        if id(row) not in new:
            changed[names].append(row)
    if new:
        manager.bulk_create(list(new.values()))
    touches = [field.name for field in model._meta.concrete_fields if getattr(field, "auto_now", False)]  # noqa: SLF001
    for names, rows in changed.items():
        for row in rows:
            for name in touches:
                setattr(row, name, timezone.now())
        manager.bulk_update(rows, [*names, *touches])
    collect_stored([row for row, _ in told])


def _references(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields if field.is_relation}  # noqa: SLF001 - Django's public name
