"""Whether to send at all: when the tenant is down one probe goes out, not a thousand."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from integrations.models import Connection, Delivery, DeliveryOutcome, Request
from integrations.words import in_words
from integrations.zuora.errors import LimitExceeded, NoAnswer, Outcome, RedisAway, Scope, Unauthorized, ZuoraError

#: A probe that has not come back after this makes room for the next.
PROBE = timedelta(seconds=30)
_SHORTEST, _LONGEST = timedelta(seconds=2), timedelta(seconds=60)
#: So many silent attempts in a row, of whatever entities, are an illness of the tenant.
_SILENT = 5
#: Among so many: what never asked Zuora says nothing of it.
_LOOKED_AT = 50


def may_send(connection: Connection, *, now: datetime) -> bool:
    """Return whether a job may go: always while all is well, and while the tenant is down once per pause."""
    if connection.removed_at is not None:
        return False
    if connection.paused_until is None:
        return True
    if connection.paused_until > now:
        return False
    mine = Connection.objects.filter(pk=connection.pk, paused_until=connection.paused_until)
    connection.paused_until = now + PROBE
    return bool(mine.update(paused_until=connection.paused_until))


def give_back(connection: Connection, *, probe_until: datetime | None, now: datetime) -> bool:
    """Let another job be the probe, when this one learned nothing; return whether it was the probe.

    `probe_until` is the pause that `may_send` left in force when it let the job go: None, when all was well.
    """
    if probe_until is None:
        return False
    mine = Connection.objects.filter(pk=connection.pk, paused_until=probe_until)
    return bool(mine.update(paused_until=now))


def note_error(connection: Connection, error: ZuoraError, *, now: datetime) -> None:
    """Pause the connection when the error is the whole tenant's; the pause grows with the illness."""
    if not _is_whole_tenant(error) and not (error.outcome is Outcome.UNKNOWN and _is_silent()):
        return
    connection.refresh_from_db(fields=["down_since", "paused_until", "pause_reason"])
    ill_for = now - connection.down_since if connection.down_since else timedelta()
    pause = min(_LONGEST, max(_SHORTEST, ill_for / 4, timedelta(seconds=error.retry_after or 0)))
    connection.mark_down(reason=in_words(error).text, until=now + pause, now=now)


def note_success(connection: Connection) -> bool:
    """Note that the tenant answers; return whether it had been down when this delivery began."""
    if connection.down_since is None:
        return False  # should it have gone down meanwhile, the next probe finds out
    was_down = Connection.objects.filter(pk=connection.pk, down_since__isnull=False)
    return bool(was_down.update(down_since=None, paused_until=None, pause_reason=""))


def _is_whole_tenant(error: ZuoraError) -> bool:
    if isinstance(error, LimitExceeded | RedisAway):
        return False  # the budget makes everybody wait already, and Zuora was not asked
    never_left = isinstance(error, NoAnswer) and error.outcome is Outcome.NOT_SENT
    return error.scope is Scope.CONNECTION or never_left or isinstance(error, Unauthorized)


def _is_silent() -> bool:
    has_asked = Exists(Request.objects.filter(delivery=OuterRef("pk")))
    ended = Delivery.objects.exclude(outcome=DeliveryOutcome.SENDING).order_by("-finished_at")
    latest = ended.annotate(has_asked=has_asked).values_list("outcome", "has_asked")[:_LOOKED_AT]
    asked = [outcome for outcome, has_asked in latest if has_asked][: _SILENT - 1]
    return len(asked) == _SILENT - 1 and set(asked) == {DeliveryOutcome.RETRY}


def next_probe(*, now: datetime) -> int | None:
    """Return how many jobs may be woken while the tenant is down (0, or 1 as a probe), or None when it is not."""
    connection = Connection.objects.active().first()
    if connection is None:
        return 0
    if connection.paused_until is None:
        return None
    return int(connection.paused_until <= now)
