"""Imports a Stigg environment: page by page in the background, or one entity when a webhook says that it has changed.

Stigg's API cannot be asked for what changed since some time, so every import reads all of it; only what differs is
saved, and a second import of the same saves nothing. A page is read without a transaction and written in one.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from catalog.models import Addon, Coupon, Feature, Plan, PricingType, Product
from customers.models import Customer
from integrations import operations
from integrations.collecting import collecting
from integrations.models import Operation, StiggAccount, StiggEvent
from integrations.stigg import writing
from integrations.stigg.account import Account, Pace, Page, Row, StiggError, StiggKind, StiggUnavailableError
from integrations.stigg.contracts import subscriptions
from integrations.stigg.saving import AtOnce, Saver
from integrations.stigg.scheduled import note_successors
from integrations.stigg.writing import (
    CREATED,
    SKIPPED,
    TO_CHECK,
    UNCHANGED,
    UPDATED,
    Change,
    Version,
    Write,
    write_all,
    write_page,
)
from subscriptions.models import Subscription

#: The kind of operation; only one import runs at a time.
IMPORT = "stigg import"
MODELS = {
    StiggKind.PRODUCT: Product,
    StiggKind.FEATURE: Feature,
    StiggKind.COUPON: Coupon,
    StiggKind.ADDON: Addon,
    StiggKind.PLAN: Plan,
    StiggKind.CUSTOMER: Customer,
    StiggKind.SUBSCRIPTION: Subscription,
}
_PACKAGES = {StiggKind.PLAN, StiggKind.ADDON}
_MANY = {StiggKind.CUSTOMER, StiggKind.SUBSCRIPTION}
_AGAIN = timedelta(seconds=60)
#: A subscription, its plan, the plan's product: no chain of parents is longer.
_DEEPEST = 4


@dataclass(frozen=True)
class Fetched:
    """A page of rows; the charges of those that are plans or add-ons, by id, and of older versions that were sold."""

    kind: StiggKind
    page: Page
    charges: Mapping[str, Sequence[Row]]
    older: Mapping[Version, Sequence[Row]] = field(default_factory=dict)
    at: datetime | None = None


@lru_cache(maxsize=1)
def _pace(per_minute: float) -> Pace:
    return Pace(per_minute)


@lru_cache(maxsize=1)
def _reader(base_url: str, api_key: str, per_minute: float) -> Account:
    return Account(base_url=base_url, api_key=api_key, pace=_pace(per_minute))


def open_account(account: StiggAccount) -> Account:
    """Return the account's reader: one for all of this process, with one pace and one pool of connections."""
    return _reader(account.base_url, account.api_key, settings.STIGG_CALLS_PER_MINUTE)


def start(*, actor: User | None, now: datetime, dry_run: bool = False) -> Operation:
    """Begin an import in the background.

    Raises:
        Stop: no Stigg account is connected.
        AlreadyUnderWay: another import is not finished.
    """
    account = _account()
    known = sum(model._default_manager.count() for model in MODELS.values())  # noqa: SLF001 - Django's public name
    return operations.start(
        kind=IMPORT,
        title=f"{'What an import would change' if dry_run else 'Import'} from {account.base_url}",
        actor=actor,
        now=now,
        parameters={"dry_run": dry_run},
        total=known or None,  # what is there already is the best guess at how much there is
        exclusive=IMPORT,
    )


def fetch(operation: Operation, checkpoint: Mapping[str, Any], now: datetime) -> Fetched:
    """Read the next page from Stigg."""
    account = open_account(_account())
    kind = StiggKind(checkpoint.get("kind", next(iter(StiggKind))))
    try:
        page = account.page(kind, after=checkpoint.get("after", ""))
        older = {} if operation.parameters.get("dry_run") else _older_of(account, kind, page.rows)
        return Fetched(kind, page, _charges_of(account, kind, page.rows), older, now)
    except StiggUnavailableError as away:
        raise operations.Later(str(away), at=now + _AGAIN) from away
    except StiggError as refused:
        raise operations.Stop(str(refused)) from refused


def step(operation: Operation, _checkpoint: Mapping[str, Any], fetched: Fetched, now: datetime) -> operations.Step:
    """Write the page that was read, and say where the next one begins."""
    dry = bool(operation.parameters.get("dry_run"))
    with collecting(now=now, keeps=not dry):
        changes = write(fetched, now=now, dry=dry)
        if not dry and _next(fetched) is None:
            note_successors(now=now)
    if not dry and fetched.at is not None and (account := StiggAccount.objects.active().first()) is not None:
        # An event may have brought what is newer than this page.
        events = StiggEvent.objects.of(account, fetched.kind.value, {str(row["id"]) for row in fetched.page.rows})
        events.ended_since(fetched.at).wait_again(now=now)
    return operations.Step(
        checkpoint=_next(fetched),
        done=len(changes),
        failed=sum(change.what == SKIPPED for change in changes),
        tally=_tally(changes),
        lines=tuple(_lines(changes, told={SKIPPED, CREATED, UPDATED} if dry else {SKIPPED})),
        ring=not dry and any(change.what not in {SKIPPED, UNCHANGED} for change in changes),
    )


def _tally(changes: Sequence[Change]) -> Counter[str]:
    found = Counter(f"{change.kind.value}s {change.what}" for change in changes)
    found.update(f"{change.kind.value}s {TO_CHECK}" for change in changes if change.to_check)
    return found


def _lines(changes: Sequence[Change], *, told: Collection[str]) -> Iterator[operations.Line]:
    for change in changes:
        key = f"{change.kind.value}:{change.ref_id}"[:300]
        if change.what in told:
            yield operations.Line(key=key, outcome=change.what, text=change.text)
        for text in change.to_check:
            yield operations.Line(key=key, outcome=TO_CHECK, text=text)


def write(fetched: Fetched, *, now: datetime, dry: bool = False) -> list[Change]:
    """Write a page: what there are many of together, and what others refer to one by one."""
    if not dry:
        writing.older_versions(fetched.older)
    if fetched.kind in _MANY:
        return write_page(fetched.kind, fetched.page.rows, partial(_writer, fetched, now), dry=dry)
    return write_all(fetched.kind, fetched.page.rows, _writer(fetched, now, AtOnce()), dry=dry)


def _write_one(fetched: Fetched, *, now: datetime) -> Change:
    """Write the only row, as if somebody had saved it."""
    writing.older_versions(fetched.older)
    change = write_all(fetched.kind, fetched.page.rows, _writer(fetched, now, AtOnce()), dry=False)[0]
    if fetched.kind is StiggKind.SUBSCRIPTION:
        note_successors(now=now)
    return change


def import_one(account: Account, kind: StiggKind, ref_id: str, *, now: datetime) -> Change | None:
    """Bring one entity to what Stigg says, its parents first where they are not here; None where Stigg has none.

    To be called outside a transaction: it waits for Stigg.

    Raises:
        StiggError: Stigg could not be asked.
    """
    return _import_one(account, kind, ref_id, now=now, depth=0)


def _import_one(account: Account, kind: StiggKind, ref_id: str, *, now: datetime, depth: int) -> Change | None:
    row = account.get(kind, ref_id)
    if row is None:
        return None
    newest = {(sold, ref_id): version for sold, ref_id, version in sorted(versions_of(kind, row))}
    for parent_kind, parent_id in parents_of(kind, row):
        known = MODELS[parent_kind]._default_manager.filter(ref_id=parent_id)  # noqa: SLF001 - Django's public name
        if (version := newest.get((parent_kind, parent_id))) is not None:
            known = known.filter(version_number__gte=version)  # else it was published since
        if not known.exists() and depth < _DEEPEST:
            _import_one(account, parent_kind, parent_id, now=now, depth=depth + 1)
    fetched = Fetched(kind, Page((row,), ""), _charges_of(account, kind, (row,)), _older_of(account, kind, (row,)))
    for each in fetched.charges.values():
        for feature in {one["featureId"] for one in each if one.get("featureId")}:
            if not Feature.objects.filter(ref_id=feature).exists():
                _import_one(account, StiggKind.FEATURE, feature, now=now, depth=depth + 1)
    with transaction.atomic():
        change = _write_one(fetched, now=now)
    if change.what != SKIPPED:
        return change
    with transaction.atomic():  # another event may have made it, or a parent, at the same moment
        return _write_one(fetched, now=now)


def parents_of(kind: StiggKind, row: Row) -> Iterator[tuple[StiggKind, str]]:
    """Yield what a row refers to."""
    for name, parent in _PARENTS.get(kind, ()):
        if row.get(name):
            yield parent, str(row[name])
    for addon in row.get("compatibleAddonIds") or ():
        yield StiggKind.ADDON, addon
    if kind is StiggKind.SUBSCRIPTION:
        yield from ((StiggKind.ADDON, str(one["id"])) for one in row.get("addons") or ())
        yield from (
            (StiggKind.COUPON, str(one["id"])) for one in row.get("coupons") or () if one.get("status") == "ACTIVE"
        )


def versions_of(kind: StiggKind, row: Row) -> Iterator[Version]:
    """Yield the versions that a subscription was sold, where they are told: Stigg's own cloud does not."""
    if kind is StiggKind.SUBSCRIPTION:
        if isinstance(version := row.get("planVersionNumber"), int):
            yield StiggKind.PLAN, str(row["planId"]), version
        for one in row.get("addons") or ():
            if isinstance(version := one.get("versionNumber"), int):
                yield StiggKind.ADDON, str(one["id"]), version


_PARENTS: Mapping[StiggKind, tuple[tuple[str, StiggKind], ...]] = {
    StiggKind.ADDON: (("productId", StiggKind.PRODUCT),),
    StiggKind.PLAN: (("productId", StiggKind.PRODUCT),),
    StiggKind.CUSTOMER: (("couponId", StiggKind.COUPON),),
    StiggKind.SUBSCRIPTION: (
        ("customerId", StiggKind.CUSTOMER),
        ("payingCustomerId", StiggKind.CUSTOMER),
        ("planId", StiggKind.PLAN),
    ),
}


def _account() -> StiggAccount:
    account = StiggAccount.objects.active().first()
    if account is None:
        raise operations.Stop("No Stigg account is connected: connect it at Settings > Integrations > Apps > Stigg.")
    return account


def _charges_of(account: Account, kind: StiggKind, rows: Sequence[Row]) -> dict[str, Sequence[Row]]:
    if kind not in _PACKAGES:
        return {}
    return {row["id"]: account.charges(kind, row["id"]) for row in rows if row.get("pricingType") == "PAID"}


def _older_of(account: Account, kind: StiggKind, rows: Sequence[Row]) -> dict[Version, Sequence[Row]]:
    """Read the charges of versions that these were sold, that are not here, and that are on sale no more."""
    told = {version for row in rows for version in versions_of(kind, row)}
    here: set[Version] = set()
    on_sale: dict[tuple[StiggKind, str], int] = {}
    for sold, model in ((StiggKind.PLAN, Plan), (StiggKind.ADDON, Addon)) if told else ():
        packages = model._default_manager.filter(ref_id__in={one[1] for one in told if one[0] is sold})  # noqa: SLF001
        paid = packages.filter(pricing_type=PricingType.PAID)
        for ref_id, latest, version in paid.values_list("ref_id", "version_number", "prices__version_number"):
            here.add((sold, ref_id, version))
            on_sale[sold, ref_id] = latest
    older = sorted(one for one in told - here if one[2] < on_sale.get(one[:2], 0))
    return {one: account.charges(one[0], one[1], version=one[2]) for one in older}


def _writer(fetched: Fetched, now: datetime, saver: Saver) -> Write:
    rows, charges = fetched.page.rows, fetched.charges
    match fetched.kind:
        case StiggKind.PRODUCT:
            return writing.products(rows)
        case StiggKind.FEATURE:
            return writing.features(rows)
        case StiggKind.COUPON:
            return writing.coupons(rows)
        case StiggKind.ADDON | StiggKind.PLAN:
            return writing.packages(rows, model=Plan if fetched.kind is StiggKind.PLAN else Addon, charges=charges)
        case StiggKind.CUSTOMER:
            return writing.customers(rows, saver=saver, now=now)
        case StiggKind.SUBSCRIPTION:
            return subscriptions(rows, now=now, saver=saver)


def _next(fetched: Fetched) -> dict[str, str] | None:
    if fetched.page.after:
        return {"kind": fetched.kind.value, "after": fetched.page.after}
    kinds = list(StiggKind)
    later = kinds[kinds.index(fetched.kind) + 1 :]
    return {"kind": later[0].value} if later else None


KIND = operations.Kind(IMPORT, step, fetch)
