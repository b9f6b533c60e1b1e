from collections.abc import Collection
from datetime import datetime
from typing import Any, Self

from django.db import DatabaseError, models
from django.db.models import Case, Q, Value, When
from django.utils import timezone

from integrations.models.connection import Connection
from integrations.models.kinds import EntityKind, Standing, SyncStatus
from integrations.models.storing import store

_PENDING = ["pending_key", "pending_body", "pending_sent", "pending_number", "pending_since"]
_STATUS = ["status", "status_since", "error", "cure", "zuora_says", "zuora_request_id", "trace"]
#: What `mark_status` changes, and what `mark_held` does.
STATUS_FIELDS = frozenset(_STATUS)
HELD_FIELDS = frozenset({"zuora_id", "zuora_number", "sent", "digest", "synced_at", *_PENDING, *_STATUS})


class SyncRecordQuerySet(models.QuerySet["SyncRecord"]):
    def of(self, *, kind: str, entity_id: int) -> Self:
        """Return the records of one entity and all that rides along with it."""
        return self.filter(root_kind=kind, root_id=entity_id)

    def roots(self) -> Self:
        """Return the records of the entities themselves, without what rides along."""
        return self.filter(kind=models.F("root_kind"))


class SyncRecord(models.Model):
    """What we know of the far side of one entity: id, number, what we last sent, status.

    `pending_*` is the state "outcome unknown", stored before a create leaves: the key and the bytes with which it must
    be repeated. It is cleared with the answer.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="records")
    key = models.CharField(max_length=600)
    kind = models.CharField(max_length=14, choices=EntityKind)
    root_kind = models.CharField(max_length=14, choices=EntityKind, help_text="The entity whose job pushes it.")
    root_id = models.BigIntegerField()
    status = models.CharField(max_length=16, choices=SyncStatus, default=SyncStatus.PENDING)
    zuora_id = models.CharField("Zuora ID", max_length=64, blank=True)
    zuora_number = models.CharField("Zuora number", max_length=255, blank=True)
    linked_by_hand = models.BooleanField(default=False, help_text="Its billing ID was set by a person.")
    generation = models.PositiveIntegerField(
        default=1, help_text="Successors of a rate plan that Zuora could not change."
    )
    digest = models.CharField(max_length=64, blank=True)
    sent = models.JSONField(default=dict, help_text="What we last sent and Zuora accepted.")
    trace = models.JSONField(default=list, help_text="Every rule with pass or fail and the value it saw.")
    error = models.TextField(blank=True)
    cure = models.TextField(blank=True)
    zuora_says = models.TextField(blank=True)
    zuora_request_id = models.CharField(max_length=64, blank=True)
    kept_at = models.DateTimeField(null=True, blank=True, help_text="A person chose to keep it in Zuora as it is.")
    cancel_wanted_at = models.DateTimeField(
        null=True, blank=True, help_text="A person wants it cancelled in Zuora although it is no longer synced."
    )
    synced_at = models.DateTimeField(null=True, blank=True)
    status_since = models.DateTimeField(default=timezone.now)
    #: Kept by the database, so that lists of a million are filtered, sorted and counted by an index.
    standing = models.GeneratedField(
        expression=Case(
            When(status=SyncStatus.ERROR, then=Value(Standing.FAILED)),
            When(status=SyncStatus.PENDING, then=Value(Standing.PENDING)),
            When(status=SyncStatus.SUCCESS, then=Value(Standing.SYNCED)),
            When(~Q(zuora_id=""), then=Value(Standing.STOPPED)),
            default=Value(Standing.NOT_SYNCED),
        ),
        output_field=models.CharField(max_length=10, choices=Standing),
        db_persist=True,
    )
    #: Counts the orders of a subscription: it is part of their numbers.
    sequence = models.PositiveIntegerField(default=0)
    pending_key = models.CharField(max_length=64, blank=True)
    pending_body = models.TextField(blank=True)
    pending_sent = models.JSONField(default=dict)
    pending_number = models.CharField(max_length=255, blank=True)
    pending_since = models.DateTimeField(null=True, blank=True)

    objects = SyncRecordQuerySet.as_manager()

    class Meta:
        verbose_name = "record"
        ordering = ["key"]
        constraints = [models.UniqueConstraint(fields=["connection", "key"], name="record_one_per_entity")]
        indexes = [
            models.Index(fields=["root_kind", "root_id", "kind"], name="record_of_entity"),
            # Whether an entity is in Zuora is asked by its kind and row; so is who has no record at all.
            models.Index(fields=["kind", "root_id", "connection"], name="record_of_row"),
            # The lists: of one standing, or by standing, by since when; each with what makes the order whole.
            models.Index(fields=["connection", "kind", "standing", "key"], name="record_standing"),
            models.Index(fields=["connection", "kind", "standing", "status_since", "id"], name="record_standing_since"),
            models.Index(fields=["connection", "kind", "status_since", "id"], name="record_since"),
            models.Index(
                fields=["connection", "status_since", "id"],
                condition=Q(standing=Standing.STOPPED, kept_at=None, cancel_wanted_at=None),
                name="record_to_decide",
            ),
            models.Index(fields=["zuora_id"], name="record_zuora_id"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def is_linked(self) -> bool:
        """Whether Zuora holds it."""
        return bool(self.zuora_id)

    @property
    def has_parts(self) -> bool:
        """Whether its object in Zuora is the first of several: a product, with rate plans and charges to follow."""
        return self.kind in {EntityKind.PLAN, EntityKind.ADDON, EntityKind.COUPON}

    @property
    def is_stopped(self) -> bool:
        """Linked, sync stopped: it is in Zuora, and a rule says now that it should not be synced."""
        return self.is_linked and self.status == SyncStatus.NO_SYNC_REQUIRED

    @property
    def no_sync_reason(self) -> str:
        """The sentences of the rules that failed when it was judged last, as its page shows them."""
        return " ".join(rule["text"] for rule in self.trace if not rule["passed"])

    @property
    def is_pending(self) -> bool:
        """Whether a create left of which the outcome is unknown."""
        return bool(self.pending_key)

    def mark_leaving(
        self,
        *,
        key: str,
        body: bytes,
        sent: dict[str, Any],
        number: str,
        now: datetime,
        more: Collection[str] = (),
    ) -> None:
        """Store "outcome unknown" before the request leaves, and `more` fields that have changed before.

        A record that is new becomes a row with it.
        """
        self.pending_key = key
        self.pending_body = body.decode()
        self.pending_sent = sent
        self.pending_number = number
        self.pending_since = now
        self.store({*_PENDING, "sequence", *more})

    def mark_refused(self) -> None:
        """Forget the key: an answer came, and it was no."""
        self.clear_pending()
        self.save(update_fields=_PENDING)

    def mark_lost_key(self) -> None:
        """Keep that something left, and no key: the next attempt has to look before it sends."""
        self.pending_key = ""
        self.save(update_fields=["pending_key"])

    def mark_held(self, *, zuora_id: str, number: str, sent: dict[str, Any], digest: str, now: datetime) -> None:
        """Zuora holds what was sent; with parts it is synced only when they are, which its push says at its end.

        The caller stores HELD_FIELDS: not the whole row, for a person may decide something about it meanwhile.
        """
        self.zuora_id = zuora_id
        self.zuora_number = number
        self.sent = sent
        self.digest = digest
        self.clear_pending()
        if not self.has_parts:
            self.mark_status(SyncStatus.SUCCESS, now=now)
        self.synced_at = now

    def mark_status(self, status: SyncStatus, *, now: datetime) -> None:
        """Set the public status; `status_since` moves only when it changes. The caller stores STATUS_FIELDS."""
        if self.status != status:
            self.status = status
            self.status_since = now
        if status != SyncStatus.ERROR:
            self.error = self.cure = self.zuora_says = self.zuora_request_id = ""

    @property
    def is_new(self) -> bool:
        """Whether it is no row yet."""
        return self._state.adding

    def store(self, fields: Collection[str]) -> None:
        """Store these fields of a row; a record that is new becomes one, whole.

        Raises:
            DatabaseError: the row is gone: its entity was deleted meanwhile.
        """
        if self.is_new:
            self.save(force_insert=True)
        elif not store([self], fields):
            raise DatabaseError(f"The record {self.key} is gone.")

    def clear_pending(self) -> None:
        """Drop "outcome unknown" from the row; the caller saves."""
        self.pending_key = self.pending_body = self.pending_number = ""
        self.pending_sent = {}
        self.pending_since = None
