"""Bulk work wishes once: what it saves is collected, and stored as jobs of a backfill at its end."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.db.models import Model

from integrations import timeline, wishing
from integrations.behind import behind
from integrations.entities import Wish, entity_of
from integrations.models import Connection, Happening, Priority

_collected: ContextVar[dict[tuple[str, int], Wish] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting(*, now: datetime, keeps: bool = True) -> Iterator[None]:
    """Collect the wishes of the saves in the block, and store each once at its end; without `keeps` forget them.

    Use it inside the transaction that the work is done in. Nobody is woken: ring once when all of it is committed.
    """
    token = _collected.set({})
    try:
        yield
        wishes = _collected.get() or {}
    finally:
        _collected.reset(token)
    if keeps:
        entities = [(wish.kind, wish.entity_id) for wish in wishes.values()]
        timeline.note(what=Happening.SAVED, entities=entities, now=now, subject="in bulk")
    connection = Connection.objects.active().first() if keeps and wishes else None
    if connection is not None:
        wishing.wish(connection=connection, wishes=list(wishes.values()), now=now, priority=Priority.BACKFILL)


@contextmanager
def unless_it_fails() -> Iterator[None]:
    """Forget what the block wishes when it fails: the rows that it saved are rolled back."""
    collected = _collected.get()
    before = dict(collected or {})
    try:
        yield
    except BaseException:
        if collected is not None:
            collected.clear()
            collected.update(before)
        raise


def collect(wishes: Iterable[Wish]) -> bool:
    """Take the wishes where somebody collects them; return whether somebody does."""
    collected = _collected.get()
    if collected is None:
        return False
    collected.update({(wish.kind, wish.entity_id): wish for wish in wishes})
    return True


def wishes_of(rows: Iterable[Model]) -> list[Wish]:
    """Return the wishes to push these entities; what is drafted is nobody's business yet."""
    found = ((row, entity_of(row)) for row in rows)
    return [entity.wish(row) for row, entity in found if entity and getattr(row, "status", "") != "DRAFT"]


def collect_stored(rows: Sequence[Model]) -> None:
    """Wish what their saves would have wished: rows of one model that were stored in bulk send no signal."""
    collect(wishes_of(behind(rows)))
