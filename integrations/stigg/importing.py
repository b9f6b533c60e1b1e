"""Imports a Stigg environment: page by page in the background, or one entity when a webhook says that it has changed.

Stigg's API cannot be asked for what changed since some time, so every import reads all of it; only what differs is
saved, and a second import of the same saves nothing. A page is read without a transaction and written in one.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from catalog.models import Addon, Coupon, Feature, Plan, Product
from customers.models import Customer
from integrations import operations
from integrations.collecting import collecting
from integrations.models import Operation, StiggAccount
from integrations.stigg import writing
from integrations.stigg.account import Account, Pace, Page, Row, StiggError, StiggKind, StiggUnavailableError
from integrations.stigg.contracts import subscriptions
from integrations.stigg.writing import CREATED, SKIPPED, UNCHANGED, Change, Write, write_all
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
_AGAIN = timedelta(seconds=60)
#: A subscription, its plan, the plan's product: no chain of parents is longer.
_DEEPEST = 4


@dataclass(frozen=True)
class Fetched:
    """A page of rows, and the charges of those that are plans or add-ons, by id."""

    kind: StiggKind
    page: Page
    charges: Mapping[str, Sequence[Row]]


@lru_cache(maxsize=1)
def _pace(per_minute: float) -> Pace:
    return Pace(per_minute)


def open_account(account: StiggAccount) -> Account:
    """Return the account's reader; all readers of this process share one pace."""
    return Account(base_url=account.base_url, api_key=account.api_key, pace=_pace(settings.STIGG_CALLS_PER_MINUTE))


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


def fetch(_operation: Operation, checkpoint: Mapping[str, Any], now: datetime) -> Fetched:
    """Read the next page from Stigg."""
    account = open_account(_account())
    kind = StiggKind(checkpoint.get("kind", next(iter(StiggKind))))
    try:
        page = account.page(kind, after=checkpoint.get("after", ""))
        return Fetched(kind, page, _charges_of(account, kind, page.rows))
    except StiggUnavailableError as away:
        raise operations.Later(str(away), at=now + _AGAIN) from away
    except StiggError as refused:
        raise operations.Stop(str(refused)) from refused


def step(operation: Operation, _checkpoint: Mapping[str, Any], fetched: Fetched, now: datetime) -> operations.Step:
    """Write the page that was read, and say where the next one begins."""
    dry = bool(operation.parameters.get("dry_run"))
    with collecting(now=now, keeps=not dry):
        changes = write(fetched, dry=dry)
    told = (SKIPPED,) if not dry else (SKIPPED, CREATED, writing.UPDATED)
    return operations.Step(
        checkpoint=_next(fetched),
        done=len(changes),
        failed=sum(change.what == SKIPPED for change in changes),
        tally=Counter(f"{change.kind.value}s {change.what}" for change in changes),
        lines=tuple(
            operations.Line(key=f"{change.kind.value}:{change.ref_id}"[:300], outcome=change.what, text=change.text)
            for change in changes
            if change.what in told
        ),
        ring=not dry and any(change.what not in {SKIPPED, UNCHANGED} for change in changes),
    )


def write(fetched: Fetched, *, dry: bool = False) -> list[Change]:
    """Write a page; see `write_all`."""
    return write_all(fetched.kind, fetched.page.rows, _writer(fetched), dry=dry)


def import_one(account: Account, kind: StiggKind, ref_id: str) -> Change | None:
    """Bring one entity to what Stigg says, its parents first where they are not here; None where Stigg has none.

    To be called outside a transaction: it waits for Stigg.

    Raises:
        StiggError: Stigg could not be asked.
    """
    return _import_one(account, kind, ref_id, depth=0)


def _import_one(account: Account, kind: StiggKind, ref_id: str, *, depth: int) -> Change | None:
    row = account.get(kind, ref_id)
    if row is None:
        return None
    for parent_kind, parent_id in parents_of(kind, row):
        known = MODELS[parent_kind]._default_manager.filter(ref_id=parent_id).exists()  # noqa: SLF001
        if not known and depth < _DEEPEST:
            _import_one(account, parent_kind, parent_id, depth=depth + 1)
    fetched = Fetched(kind, Page((row,), ""), _charges_of(account, kind, (row,)))
    for each in fetched.charges.values():
        for feature in {one["featureId"] for one in each if one.get("featureId")}:
            if not Feature.objects.filter(ref_id=feature).exists():
                _import_one(account, StiggKind.FEATURE, feature, depth=depth + 1)
    with transaction.atomic():
        return write(fetched)[0]


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


def _writer(fetched: Fetched) -> Write:
    return _WRITERS[fetched.kind](fetched.page.rows, fetched.charges)


_WRITERS: Mapping[StiggKind, Callable[[Sequence[Row], Mapping[str, Sequence[Row]]], Write]] = {
    StiggKind.PRODUCT: lambda rows, _: writing.products(rows),
    StiggKind.FEATURE: lambda rows, _: writing.features(rows),
    StiggKind.COUPON: lambda rows, _: writing.coupons(rows),
    StiggKind.ADDON: lambda rows, charges: writing.packages(rows, model=Addon, charges=charges),
    StiggKind.PLAN: lambda rows, charges: writing.packages(rows, model=Plan, charges=charges),
    StiggKind.CUSTOMER: lambda rows, _: writing.customers(rows),
    StiggKind.SUBSCRIPTION: lambda rows, _: subscriptions(rows),
}


def _next(fetched: Fetched) -> dict[str, str] | None:
    if fetched.page.after:
        return {"kind": fetched.kind.value, "after": fetched.page.after}
    kinds = list(StiggKind)
    later = kinds[kinds.index(fetched.kind) + 1 :]
    return {"kind": later[0].value} if later else None


KIND = operations.Kind(IMPORT, step, fetch)
