"""Brings our rows to what Stigg's say: only what differs is saved, so that what is equal costs no call to Zuora.

One that cannot be taken is skipped, with a sentence, and the rest goes on. Stigg's word counts: what was edited here by
hand is overwritten.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, models, transaction
from django.db.models import ProtectedError

from catalog.models import Addon, Coupon, Feature, Plan, Product
from catalog.validation import coupon_problems
from customers.models import Customer
from integrations.collecting import unless_it_fails
from integrations.stigg import reading
from integrations.stigg.account import Row, StiggKind
from integrations.stigg.reading import Charge
from integrations.stigg.saving import AtOnce, InBulk, Saver
from integrations.stigg.values import Unreadable
from integrations.stigg.versions import write_version
from subscriptions.models import CustomerCoupon
from subscriptions.past import keep_pasts, presents_of
from usage.models import Meter

CREATED, UPDATED, UNCHANGED, SKIPPED = "created", "updated", "unchanged", "skipped"
#: Beside what became of a row: something that it does not tell, and that a person has to see to.
TO_CHECK = "to check"


@dataclass(frozen=True)
class Change:
    """What became of one row; `text` says what was changed, or why it was skipped, `to_check` what it leaves open."""

    kind: StiggKind
    ref_id: str
    what: str
    text: str = ""
    to_check: tuple[str, ...] = ()


@dataclass(frozen=True)
class Put:
    """A row as it is stored now, what was changed (None when it is new), and what is left to a person."""

    row: Any
    changed: tuple[str, ...] | None
    to_check: tuple[str, ...] = ()

    def also(self, changed: str, *, when: bool) -> "Put":
        """Return the same with one more thing that was changed."""
        return replace(self, changed=(*self.changed, changed)) if when and self.changed is not None else self


class Missing(Exception):  # noqa: N818 - an answer for a person
    """What the row refers to is not here; the text names it."""


Write = Callable[[Row], Put]
#: A plan's or an add-on's kind, its Stigg id and the number of one of its versions.
Version = tuple[StiggKind, str, int]


def write_page(kind: StiggKind, rows: Sequence[Row], writer: Callable[[Saver], Write], *, dry: bool) -> list[Change]:
    """Write some rows together, in as few statements as they allow; see `write_all` for what becomes of each."""
    bulk = InBulk()
    try:
        with unless_it_fails(), transaction.atomic():
            write = writer(bulk)
            changes: list[Change] = []
            for row in rows:
                with _refused(kind, row, changes, dry=dry), bulk.forgetting_failures():
                    changes.append(_change(kind, row, write(row)))
            bulk.flush()
            if dry:
                transaction.set_rollback(True)
    except (DataError, IntegrityError, ValidationError, ValueError):
        return write_all(kind, rows, writer(AtOnce()), dry=dry)
    return changes


def write_all(kind: StiggKind, rows: Sequence[Row], write: Write, *, dry: bool) -> list[Change]:
    """Write some rows, each for itself; `dry` tells what would be changed, and changes nothing.

    A dry run cannot know parents that it did not make: a new row is then taken as one that would be created.
    """
    changes: list[Change] = []
    for row in rows:
        try:
            with _refused(kind, row, changes, dry=dry), unless_it_fails(), transaction.atomic():
                changes.append(_change(kind, row, write(row)))
                if dry:
                    transaction.set_rollback(True)
        except (DataError, IntegrityError) as refused:  # any other error of the database says nothing of the row
            changes.append(Change(kind, str(row["id"]), SKIPPED, f"The database does not take it: {refused}".strip()))
    return changes


@contextmanager
def _refused(kind: StiggKind, row: Row, changes: list[Change], *, dry: bool) -> Iterator[None]:
    """Note the row as skipped, with why, when the block cannot take it as it is."""
    known = len(changes)

    def skip(text: str, what: str = SKIPPED) -> None:
        changes[known:] = [Change(kind, str(row.get("id") or "?"), what, text)]

    try:
        yield
    except Missing as missing:
        skip(str(missing), CREATED if dry else SKIPPED)
    except (Unreadable, ProtectedError) as refused:
        skip(str(refused.args[0]))
    except ValidationError as refused:
        skip(" ".join(_sentences(refused)))
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        skip(f"Stigg's answer is not as its API describes it ({type(wrong).__name__}: {wrong}).")


def _change(kind: StiggKind, row: Row, put: Put) -> Change:
    changed = put.changed or ()
    what = CREATED if put.changed is None else UPDATED if changed else UNCHANGED
    return Change(kind, row["id"], what, ", ".join(changed), put.to_check)


def _sentences(refused: ValidationError) -> list[str]:
    if not hasattr(refused, "error_dict"):
        return list(refused.messages)
    named = refused.message_dict.items()
    return [text if name == "__all__" else f"{name}: {text}" for name, texts in named for text in texts]


def put(found: Any, model: type[models.Model], ref_id: str, fields: Mapping[str, Any], *, saver: Saver) -> Put:
    """Store a row with these fields; where it is there already, only what differs.

    Raises:
        ValidationError: a field or a constraint does not take it.
    """
    row: Any = found if found is not None else model(ref_id=ref_id)
    changed = tuple(name for name, value in fields.items() if found is None or getattr(row, name) != value)
    if not changed:
        return Put(row, ())
    for name in changed:
        setattr(row, name, fields[name])
    saver.save(row, changed)
    return Put(row, changed if found is not None else None)


def by_ref_id(model: type[models.Model], ref_ids: set[str], *related: str) -> dict[str, Any]:
    """Return rows by their Stigg id, in one query."""
    rows: models.QuerySet[Any] = model._default_manager.filter(ref_id__in=ref_ids)  # noqa: SLF001 - Django's public name
    return {row.ref_id: row for row in rows.select_related(*related)}


def parent(found: Mapping[str, Any], ref_id: str, what: str) -> Any:
    """Return a row by its id.

    Raises:
        Missing: it is not here.
    """
    if ref_id not in found:
        raise Missing(f"Its {what} {ref_id} is not here: see why that was skipped.")
    return found[ref_id]


def products(rows: Sequence[Row]) -> Write:
    found = by_ref_id(Product, {row["id"] for row in rows})
    return lambda row: put(found.get(row["id"]), Product, row["id"], reading.product(row), saver=AtOnce())


def features(rows: Sequence[Row]) -> Write:
    found = by_ref_id(Feature, {row["id"] for row in rows}, "meter")

    def write(row: Row) -> Put:
        done = put(found.get(row["id"]), Feature, row["id"], reading.feature(row), saver=AtOnce())
        fields, has = reading.meter(row), getattr(done.row, "meter", None)
        if fields is None:
            if has is not None:
                has.delete()
            return done.also("meter", when=has is not None)
        metered = has or Meter(feature=done.row)
        differs = has is None or any(getattr(metered, name) != value for name, value in fields.items())
        if differs:
            for name, value in fields.items():
                setattr(metered, name, value)
            metered.full_clean()
            metered.save()
        return done.also("meter", when=differs)

    return write


def coupons(rows: Sequence[Row]) -> Write:
    found = by_ref_id(Coupon, {row["id"] for row in rows})

    def write(row: Row) -> Put:
        fields, amounts = reading.coupon(row)
        if problems := coupon_problems(coupon_type=fields["coupon_type"], currencies=amounts):
            raise Unreadable(" ".join(problems))
        done = put(found.get(row["id"]), Coupon, row["id"], fields, saver=AtOnce())
        stored = {one.currency: one for one in done.row.amounts.all()}
        here = {currency: one.amount for currency, one in stored.items()}
        for one in stored.values():
            if one.currency not in amounts:
                one.delete()
        for currency, amount in amounts.items():
            one = stored.get(currency) or done.row.amounts.model(coupon=done.row, currency=currency)
            if one.amount != amount:
                one.amount = amount
                one.full_clean()
                one.save()
        return done.also("amounts", when=here != amounts)

    return write


def packages(rows: Sequence[Row], *, model: type[Plan] | type[Addon], charges: Mapping[str, Sequence[Row]]) -> Write:
    """Return how to write plans or add-ons; `charges` are the rows of their charges by their own id."""
    found = by_ref_id(model, {row["id"] for row in rows})
    parents = by_ref_id(Product, {row["productId"] for row in rows if row.get("productId")})
    counted = {one.get("featureId") or "" for each in charges.values() for one in each}
    features_here = by_ref_id(Feature, counted)
    addons = by_ref_id(Addon, {one for row in rows for one in row.get("compatibleAddonIds") or ()})

    def write(row: Row) -> Put:
        fields = reading.package(row)
        fields["product"] = parent(parents, row["productId"], "product")
        if model is Addon:
            fields["max_quantity"] = row.get("maxQuantity") or None
        else:
            fields |= reading.default_trial(row)
        sold = reading.charges(charges.get(row["id"], ()))
        for one in sold:
            if one.feature:
                parent(features_here, one.feature, "feature")
        before = found.get(row["id"])
        done = put(before, model, row["id"], fields, saver=AtOnce())
        done = done.also("charges", when=_write_sold(done.row, sold, features_here))
        if isinstance(done.row, Plan):
            wanted = [parent(addons, one, "add-on") for one in row.get("compatibleAddonIds") or ()]
            differs = set(done.row.compatible_addons.all()) != set(wanted)
            if differs:
                done.row.compatible_addons.set(wanted)
            done = done.also("compatible add-ons", when=differs)
        return done

    return write


def _write_sold(package: Plan | Addon, charges: Sequence[Charge], features: Mapping[str, Feature]) -> bool:
    return write_version(package, charges, features=features, version=package.version_number)


def older_versions(charges: Mapping[Version, Sequence[Row]]) -> None:
    """Store what is no longer on sale, and was sold to somebody; what cannot be stored is told of whom it was sold."""
    counted = {one.get("featureId") or "" for each in charges.values() for one in each}
    features_here = by_ref_id(Feature, counted)
    for (kind, ref_id, version), rows in charges.items():
        package: Any = (Plan if kind is StiggKind.PLAN else Addon).objects.get(ref_id=ref_id)
        with suppress(Unreadable, ValidationError, KeyError), transaction.atomic():
            write_version(package, reading.charges(rows), features=features_here, version=version)


def customers(rows: Sequence[Row], *, saver: Saver, now: datetime) -> Write:
    """Return how to write customers."""
    found = by_ref_id(Customer, {row["id"] for row in rows}, "customer_coupon__coupon")
    here = by_ref_id(Coupon, {row["couponId"] for row in rows if row.get("couponId")})

    def write(row: Row) -> Put:
        fields, coupon_id = reading.customer(row)
        coupon = parent(here, coupon_id, "coupon") if coupon_id else None
        before = found.get(row["id"])
        done = put(before, Customer, row["id"], fields, saver=saver)
        held: Any = getattr(done.row, "customer_coupon", None) if before is not None else None
        if (held.coupon if held else None) == coupon:
            return done
        if before is not None:
            saver.afterwards(partial(keep_pasts, presents_of(customer_id=before.pk), at=now))
        if coupon is None:
            saver.delete(held)
        else:
            held = held or CustomerCoupon(customer=done.row)
            held.coupon = coupon
            saver.save(held, ["coupon"])
        return done.also("coupon", when=True)

    return write
