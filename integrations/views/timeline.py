"""What happened to an entity, the newest first: who did what, what was decided, what was sent and answered."""

from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.db.models import Prefetch, Q, QuerySet
from django.utils.dateparse import parse_datetime

from integrations.models import Delivery, EntityKind, Request, TimelineEntry

SIZE = 20
_ENTRY, _DELIVERY = "e", "d"


@dataclass(frozen=True)
class Moment:
    """One thing that happened: a person's or program's doing, or a delivery."""

    at: datetime
    entry: TimelineEntry | None = None
    delivery: Delivery | None = None

    @property
    def place(self) -> tuple[datetime, str, int]:
        """Where it stands in the order; two things of one moment have different places."""
        if self.entry is not None:
            return self.at, _ENTRY, self.entry.pk
        return self.at, _DELIVERY, self.delivery.pk if self.delivery else 0

    @property
    def key(self) -> str:
        at, source, pk = self.place
        return f"{at.isoformat()} {source}{pk}"


@dataclass(frozen=True)
class Timeline:
    """A page of what happened; `older` is the key to ask for what was before, or empty."""

    moments: list[Moment]
    older: str


def timeline_of(*, kind: EntityKind, entity_id: int, before: str = "", size: int = SIZE) -> Timeline:
    """Return what happened before a key, in four queries; a key that makes no sense is the newest page."""
    edge = _edge(before)
    entries = TimelineEntry.objects.filter(_older("at", _ENTRY, edge), kind=kind, entity_id=entity_id)
    deliveries = Delivery.objects.filter(
        _older("started_at", _DELIVERY, edge), job__kind=kind, job__entity_id=entity_id
    ).select_related("job")
    moments = merge(
        [Moment(one.at, entry=one) for one in entries.order_by("-at", "-pk")[: size + 1]],
        [Moment(one.started_at, delivery=one) for one in _with_requests(deliveries)[: size + 1]],
        key=lambda moment: moment.place,
        reverse=True,
    )
    found = list(islice(moments, size + 1))
    return Timeline(found[:size], found[size - 1].key if len(found) > size else "")


def _with_requests(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    requests = Request.objects.select_related("connection").defer("connection__client_secret").order_by("pk")
    return deliveries.order_by("-started_at", "-pk").prefetch_related(Prefetch("requests", requests))


def _edge(key: str) -> tuple[datetime, str, int] | None:
    at, _, rest = key.partition(" ")
    source, pk = rest[:1], rest[1:]
    try:
        moment = parse_datetime(at)
    except ValueError:
        return None
    known = source in {_ENTRY, _DELIVERY} and pk.isdecimal() and len(pk) < 19  # noqa: PLR2004 - digits of a bigint
    if moment is None or moment.tzinfo is None or not known:
        return None
    return moment, source, int(pk)


def _older(at: str, source: str, edge: tuple[datetime, str, int] | None) -> Q:
    """Return the condition for what stands before the edge in the order of (moment, source, number)."""
    if edge is None:
        return Q()
    moment, edge_source, pk = edge
    if source < edge_source:
        return Q(**{f"{at}__lte": moment})
    if source > edge_source:
        return Q(**{f"{at}__lt": moment})
    return Q(**{f"{at}__lt": moment}) | Q(**{at: moment, "pk__lt": pk})
