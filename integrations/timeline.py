"""Notes what people and programs do to an entity, in the transaction that does it."""

from collections.abc import Collection, Iterable
from datetime import datetime

from integrations.acting import doing
from integrations.models import Happening, TimelineEntry

_LONGEST = 300


def note(
    *,
    what: Happening,
    entities: Iterable[tuple[str, int]],
    now: datetime,
    subject: str = "",
    fields: Collection[str] = (),
    who: str = "",
) -> None:
    """Write a line for each of the entities (kind, id), in one query; the door knows who, unless it is given.

    Of several equal things that one request does to an entity the first is noted.
    """
    context = doing()
    TimelineEntry.objects.bulk_create(
        (
            TimelineEntry(
                at=now,
                kind=kind,
                entity_id=entity_id,
                what=what,
                who=(who or context.who)[:255],
                subject=subject[:_LONGEST],
                fields=sorted(fields),
                request_id=context.request_id,
            )
            for kind, entity_id in dict.fromkeys(entities)
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )
