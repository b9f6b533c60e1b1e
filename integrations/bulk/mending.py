"""Usage that somebody changed or deleted in Zuora: read there once more, and sent again where it is wrong."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from integrations.bulk.following import connection_of
from integrations.models import Connection, Operation, UsageDifference, UsageReconciliation, UsageRecord, UsageState
from integrations.operations import Kind, Line, Step, start

NAME = "mend"
RIGHT, FAILED, LEFT = "In Zuora as it should be", "Failed", "Left as it is"
#: So many differences are taken up at once: a charge and period each, with an hour of usage or many.
_CHUNK = 20
#: Usage is read back and sent by a sweep of its own.
_LOOK_AGAIN = 2.0
_SETTLED = (UsageState.CONFIRMED, UsageState.FAILED, UsageState.VOID)


def _step(operation: Operation, checkpoint: Mapping[str, Any], _fetched: Any, now: datetime) -> Step:
    """The checkpoint is `{"place": the last difference's number, "ended": bool, "open": [record ids]}`."""
    connection = connection_of(operation)
    place, ended, still = checkpoint.get("place", 0), bool(checkpoint.get("ended")), list(checkpoint.get("open", ()))
    lines = _settled(connection, still)
    still = [pk for pk in still if pk not in lines]
    told = list(lines.values())
    if not still and not ended:
        differences = UsageDifference.objects.filter(reconciliation=operation.parameters["report"], pk__gt=place)
        rows = list(differences.order_by("pk")[:_CHUNK])
        ended = len(rows) < _CHUNK
        place = rows[-1].pk if rows else place
        asked = [pk for row in rows for pk in row.changed_there]
        UsageRecord.objects.filter(connection=connection, pk__in=asked).read_again(now=now)
        again = UsageRecord.objects.filter(pk__in=asked, state=UsageState.ACCEPTED)
        still = list(again.order_by("pk").values_list("pk", flat=True))
        told += _left(set(asked) - set(still))
    tally = Counter(line.outcome for line in told)
    return Step(
        checkpoint=None if ended and not still else {"place": place, "ended": ended, "open": still},
        done=len(told),
        failed=tally[FAILED],
        lines=tuple(told),
        tally=tally,
        pause=_LOOK_AGAIN if still else 0.0,
        waits=bool(still),
    )


KIND = Kind(NAME, _step)


def _settled(connection: Connection, ids: Collection[int]) -> dict[int, Line]:
    """Return what has become of those records that are not on their way any more."""
    rows = UsageRecord.objects.filter(connection=connection, pk__in=ids, state__in=_SETTLED)
    found = {row.pk: _line_of(row) for row in rows}
    gone = set(ids) - set(UsageRecord.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return found | {pk: Line("", LEFT, "Its row was deleted here.") for pk in gone}


def _line_of(row: UsageRecord) -> Line:
    detail = {"usage_record": row.pk}
    if row.state == UsageState.FAILED:
        return Line(row.external_key, FAILED, f"{row.reason} {row.cure}".strip(), detail)
    return Line(row.external_key, RIGHT, "", detail)


def _left(ids: Collection[int]) -> list[Line]:
    """Return a line for each that was confirmed when it was compared, and is not any more."""
    why = "It was billed, failed, or was changed here meanwhile: compare again to see what differs now."
    rows = UsageRecord.objects.filter(pk__in=ids).order_by("pk")
    return [Line(row.external_key, LEFT, why, {"usage_record": row.pk}) for row in rows]


def begin(*, connection: Connection, report: UsageReconciliation, actor: User | None, now: datetime) -> Operation:
    """Begin to set right what a comparison found changed in Zuora.

    Raises:
        AlreadyUnderWay: another one is not finished yet.
    """
    return start(
        kind=NAME,
        title=f"Set {report.changed_there:,} usage record{'' if report.changed_there == 1 else 's'} right in Zuora",
        connection=connection,
        parameters={"report": report.pk},
        total=report.changed_there,
        exclusive=NAME,
        actor=actor,
        now=now,
    )
