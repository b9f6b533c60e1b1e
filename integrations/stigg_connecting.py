"""Connects a Stigg environment and lets go of it: what an administrator does."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from integrations import operating, operations
from integrations.models import Operation, StiggAccount, StiggEvent
from integrations.operating import Impossible, note
from integrations.stigg import importing
from integrations.stigg.account import Account, StiggError, StiggKind
from integrations.stigg.importing import open_account
from integrations.tasks import ring_operation, ring_stigg_event

STIGG = "https://api.stigg.io"


def checked_address(base_url: str) -> str:
    """Return the address of a Stigg API that may be read: Stigg's own, or one that a setting allows.

    Raises:
        Impossible: it is neither; our key would be sent to a stranger.
    """
    allowed = [STIGG, *(one.rstrip("/") for one in settings.STIGG_EXTRA_HOSTS)]
    parts = urlsplit(base_url.strip())
    address = f"{parts.scheme}://{parts.netloc}"
    if address not in allowed or parts.path.strip("/") or parts.query or parts.fragment:
        raise Impossible(
            f"{base_url} is not Stigg's API: use {STIGG}, or allow another deployment by STIGG_EXTRA_HOSTS."
        )
    return address


def connect(
    *,
    base_url: str,
    api_key: str,
    hook_secret: str,
    actor: User | None,
    now: datetime,
    open_: Callable[[StiggAccount], Account] = open_account,
) -> StiggAccount:
    """Read something with the key, and save the account. To be called outside a transaction: it waits for Stigg.

    Raises:
        Impossible: the address is not allowed, Stigg refuses the key, or an account is connected already.
    """
    account = StiggAccount(
        base_url=checked_address(base_url),
        api_key=api_key,
        hook_secret=hook_secret,
        hook_path=StiggAccount.draw_hook_path(),
        connected_at=now,
    )
    try:
        open_(account).page(StiggKind.PRODUCT)
        with transaction.atomic():
            account.save()
            note(actor=actor, action="connect Stigg", subject=str(account), now=now)
    except StiggError as error:
        raise Impossible(str(error)) from error
    except IntegrityError:
        raise Impossible("A Stigg account is connected already: remove it first.") from None
    return account


@transaction.atomic
def change_secret(*, account: StiggAccount, hook_secret: str, actor: User | None, now: datetime) -> None:
    """Take another webhook secret."""
    account.hook_secret = hook_secret
    account.save(update_fields=["hook_secret"])
    note(actor=actor, action="change Stigg webhook secret", subject=str(account), now=now)


@transaction.atomic
def remove(*, account: StiggAccount, actor: User | None, now: datetime) -> None:
    """Read nothing any more and forget key and secret; what was imported stays."""
    account.removed_at, account.api_key, account.hook_secret = now, "", ""
    account.save(update_fields=["removed_at", "api_key", "hook_secret"])
    note(actor=actor, action="remove Stigg", subject=str(account), now=now)


@transaction.atomic
def begin_import(*, dry_run: bool, actor: User | None, now: datetime) -> Operation:
    """Import in the background, or find out what an import would change.

    Raises:
        Impossible: no account is connected, or an import is under way.
    """
    try:
        operation = importing.start(actor=actor, now=now, dry_run=dry_run)
    except (operations.Stop, operations.AlreadyUnderWay) as answer:
        raise Impossible(str(answer)) from answer
    operating.note(actor=actor, action="import from Stigg", subject=operation.title, now=now, dry_run=dry_run)
    transaction.on_commit(partial(ring_operation, operation.pk), robust=True)
    return operation


@transaction.atomic
def replay(*, event: StiggEvent, actor: User | None, now: datetime) -> None:
    """Do once more what an event asks for."""
    event.mark_waiting(now=now)
    note(actor=actor, action="replay Stigg event", subject=str(event), now=now, message_id=event.message_id)
    transaction.on_commit(partial(ring_stigg_event, event.pk), robust=True)
