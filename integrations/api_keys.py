"""Keys for applications: made, listed, revoked; each leaves a line in the audit log."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from integrations.models import ApiKey, Scope
from integrations.operating import Impossible, note


@transaction.atomic
def create(*, name: str, scope: Scope, actor: User | None, now: datetime) -> tuple[ApiKey, str]:
    """Make a key, and return it with its token: this is the only time that the token can be read."""
    key, token = ApiKey.draw(name=name, scope=scope, created_by=actor, created_at=now)
    key.full_clean()
    key.save()
    note(actor=actor, action="make API key", subject=str(key), now=now, scope=scope)
    return key, token


@transaction.atomic
def revoke(*, key: ApiKey, actor: User | None, now: datetime) -> None:
    """Let nobody in by this key any more.

    Raises:
        Impossible: it is revoked already.
    """
    if key.revoked_at is not None:
        raise Impossible(f"{key} is revoked already.")
    key.mark_revoked(now=now)
    note(actor=actor, action="revoke API key", subject=str(key), now=now)
