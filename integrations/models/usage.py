from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any, Self

from django.db import models
from django.db.models import Q

from integrations.models.connection import Connection
from subscriptions.models import Subscription
from usage.models import Slice, quantity_field


class UsageCharge(models.Model):
    """A charge of a subscription as Zuora has it: the number under which usage is filed, read from there once.

    Whoever plans the charge's usage holds this row. `unabsorbed` is what was billed too much and could not be taken
    from later usage: Zuora takes no negative usage, so a person has to credit it. Without a catalog id, the charge
    ended and comes again: its number is that of the former time. `former` are the numbers that it had before it was
    taken away and sold again, each with its days: usage of then is filed under them, as long as Zuora bills it.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="usage_charges")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="usage_charges")
    key = models.CharField(max_length=600, help_text="Record key of the charge.")
    catalog_id = models.CharField("Zuora ID of the product's charge", max_length=64)
    number = models.CharField(max_length=64)
    unit = models.CharField(max_length=50, blank=True)
    starts_on = models.DateField(null=True, blank=True, help_text="The first day that Zuora bills it for.")
    ends_on = models.DateField(null=True, blank=True, help_text="The first day that Zuora no longer bills it for.")
    former: Any = models.JSONField(
        default=list, help_text="[number, first day, first day no longer], the earliest first."
    )
    must_plan = models.BooleanField(default=False, help_text="A record of it was found to be billed.")
    unabsorbed = quantity_field(default=0)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "subscription", "key"], name="usage_charge_once"),
            models.CheckConstraint(condition=Q(unabsorbed__gte=0), name="usage_charge_unabsorbed_not_negative"),
        ]
        indexes = [
            models.Index(fields=["connection"], condition=Q(must_plan=True), name="usage_charge_to_plan"),
            models.Index(fields=["connection"], condition=Q(unabsorbed__gt=0), name="usage_charge_unabsorbed"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.number}"

    @property
    def numbers(self) -> list[str]:
        """All numbers under which it ever had usage, the present one last."""
        return [*(former for former, _, _ in self.former), self.number]

    def time_of(self, number: str) -> tuple[date | None, date | None]:
        """Return the first day on which Zuora bills the charge under this number, and the first one no longer."""
        for former, starts_on, ends_on in self.former:
            if former == number:
                return date.fromisoformat(starts_on), date.fromisoformat(ends_on)
        return self.starts_on, self.ends_on

    def pool_of(self, number: str) -> str:
        """Return the number with whose records those under this one make up for each other, being sold alike."""
        return number if number in self.numbers else self.number

    def records_under(self, number: str) -> "models.QuerySet[UsageRecord]":
        """Return the records that make up for each other with those under this number."""
        if number != self.number:
            return self.records.filter(charge_number=number)
        return self.records.exclude(charge_number__in=[former for former, _, _ in self.former])

    def number_on(self, day: date) -> str:
        """Return the number under which usage of a day is filed: the first one that has not ended by then."""
        return next((former for former, _, ends_on in self.former if day < date.fromisoformat(ends_on)), self.number)


class UsageAction(models.TextChoices):
    CREATE = "create"
    UPDATE = "update"
    FILE = "file"


class BatchState(models.TextChoices):
    """READY has never left; UNKNOWN left and got no answer; LOOK_UP may not be repeated before it was looked up."""

    READY = "READY", "Ready"
    SENDING = "SENDING", "Sending"
    UNKNOWN = "UNKNOWN", "Outcome unknown"
    LOOK_UP = "LOOK_UP", "To be looked up"
    DONE = "DONE", "Done"


class UsageBatch(models.Model):
    """One call with usage records, up to fifty or a file of them: its key and its bytes are stored before it leaves.

    They stay the same. A file's import goes on after the call: it is followed by `import_id`.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="usage_batches")
    action = models.CharField(max_length=6, choices=UsageAction)
    idempotency_key = models.CharField(max_length=64, unique=True)
    body = models.TextField(blank=True, help_text="Emptied when it is done.")
    record_ids = models.JSONField(help_text="In the order of the objects in the body.")
    import_id = models.CharField("Zuora ID of the import", max_length=64, blank=True, default="")
    state = models.CharField(max_length=7, choices=BatchState, default=BatchState.READY)
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When it first left: its key lives from then on.")
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=255, blank=True)
    reason = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "usage batches"
        indexes = [models.Index(fields=["not_before"], condition=~Q(state="DONE"), name="usage_batch_open")]

    def __str__(self) -> str:
        return f"{self.action} {len(self.record_ids)} usage records ({self.state})"


class UsageState(models.TextChoices):
    """What we know of a usage record."""

    PLANNED = "PLANNED", "Planned"
    SENDING = "SENDING", "Sending"  # its key is stored
    UNKNOWN = "UNKNOWN", "Outcome unknown"
    ACCEPTED = "ACCEPTED", "Accepted"
    CONFIRMED = "CONFIRMED", "Confirmed"  # read back
    FAILED = "FAILED", "Failed"
    VOID = "VOID", "Nothing to send"


class UsageRecordQuerySet(models.QuerySet["UsageRecord"]):
    def due(self, *, now: datetime) -> Self:
        """Return the records that can be sent now."""
        return self.filter(state=UsageState.PLANNED, not_before__lte=now)

    def change(self, records: Iterable["UsageRecord"], fields: Collection[str]) -> None:
        """Store these fields of records that are there; for many this costs a tenth of `bulk_update`."""
        self.bulk_create(records, update_conflicts=True, unique_fields=["pk"], update_fields=fields)

    def pending(self) -> Self:
        """Return the records of which Zuora does not hold yet what it should."""
        return self.filter(state__in=[UsageState.PLANNED, UsageState.SENDING, UsageState.UNKNOWN])

    def read_again(self, *, now: datetime) -> int:
        """Have those that Zuora held as they should be read back once more; return how many. Billed ones stay."""
        confirmed = self.filter(state=UsageState.CONFIRMED, is_billed=False)
        return confirmed.update(state=UsageState.ACCEPTED, attempts=0, not_before=now)

    def look_again(self, *, now: datetime) -> int:
        """Have billed ones whose invoice seems to be gone read back once more; return how many."""
        billed = self.filter(state=UsageState.CONFIRMED, is_billed=True)
        return billed.update(state=UsageState.ACCEPTED, attempts=0, not_before=now)

    def to_confirm(self, *, now: datetime) -> Self:
        """Return the records that were accepted and not read back yet."""
        return self.filter(state=UsageState.ACCEPTED, not_before__lte=now)


class UsageRecord(models.Model):
    """The one usage record in Zuora of a slice; without a slice it is a correction of slices that were billed already.

    `wanted` is what Zuora should hold: the slice's quantity less `taken`, which makes up for something billed too much.
    `held` is what Zuora holds as far as we know. While billed it stays, and `owed` is what is right less what was
    billed: of all billed records of a charge together, it is what the open ones have to make up for.
    """

    # Both have an index below that begins with them: another one would cost each of the table's many writes.
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="usage_records", db_index=False)
    charge = models.ForeignKey(UsageCharge, on_delete=models.PROTECT, related_name="records", db_index=False)
    slice = models.ForeignKey(Slice, null=True, blank=True, on_delete=models.PROTECT, related_name="usage_records")
    external_key = models.CharField(max_length=200)
    charge_number = models.CharField(max_length=64)
    starts_at = models.DateTimeField(help_text="The StartDateTime that Zuora should have.")
    wanted = quantity_field()
    taken = quantity_field(default=0)
    sent = quantity_field(null=True, blank=True, help_text="The quantity of the last call.")
    sent_starts_at = models.DateTimeField(null=True, blank=True)
    held = quantity_field(null=True, blank=True)
    held_starts_at = models.DateTimeField(null=True, blank=True)
    zuora_id = models.CharField("Zuora ID", max_length=64, blank=True)
    state = models.CharField(max_length=9, choices=UsageState, default=UsageState.PLANNED)
    is_billed = models.BooleanField(default=False)
    owed = quantity_field(default=0)
    revision = models.PositiveIntegerField(default=0, help_text="How often it was sent with another content.")
    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    batch = models.ForeignKey(UsageBatch, null=True, blank=True, on_delete=models.SET_NULL, related_name="records")
    reason = models.TextField(blank=True)
    cure = models.TextField(blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)

    objects = UsageRecordQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "external_key"], name="usage_record_once"),
            models.UniqueConstraint(fields=["connection", "slice"], name="usage_record_once_per_slice"),
            models.CheckConstraint(condition=Q(wanted__gte=0), name="usage_record_not_negative"),
            models.CheckConstraint(condition=Q(taken__gte=0), name="usage_record_takes_away"),
            models.CheckConstraint(condition=Q(is_billed=True) | Q(owed=0), name="usage_record_owes_once_billed"),
        ]
        indexes = [
            models.Index(fields=["not_before"], condition=Q(state="PLANNED"), name="usage_record_planned"),
            models.Index(fields=["not_before"], condition=Q(state="ACCEPTED"), name="usage_record_accepted"),
            # The list, by hour: of all, of what is rare, of what is billed, of what is a correction.
            models.Index(fields=["connection", "starts_at", "id", "state"], name="usage_record_in_order"),
            models.Index(
                fields=["connection", "state", "starts_at", "id"],
                condition=~Q(state="CONFIRMED"),
                name="usage_record_unconfirmed",
            ),
            models.Index(
                fields=["connection", "starts_at", "id"], condition=Q(is_billed=True), name="usage_record_billed"
            ),
            models.Index(
                fields=["connection", "starts_at", "id"], condition=Q(slice=None), name="usage_record_correction"
            ),
            models.Index(fields=["charge_number", "starts_at", "id"], name="usage_record_of_number"),
            models.Index(fields=["charge", "-starts_at"], name="usage_record_of_charge"),
            models.Index(fields=["charge"], condition=~Q(owed=0), name="usage_record_owed"),
            models.Index(fields=["charge"], condition=Q(taken__gt=0), name="usage_record_taken"),
            models.Index(fields=["zuora_id"], name="usage_record_zuora_id"),
        ]

    def __str__(self) -> str:
        return self.external_key

    @property
    def is_correction(self) -> bool:
        return self.slice_id is None

    @property
    def differs(self) -> bool:
        """Whether Zuora holds something else than it should."""
        return self.wanted != (self.held or 0) or (bool(self.zuora_id) and self.starts_at != self.held_starts_at)

    def settle(self) -> None:
        """Set the state of a record that is not on its way by what differs; the caller saves.

        What Zuora took and does not show stays as it is: only a person may have it sent again.
        """
        if not self.zuora_id and self.held is not None:
            return
        if self.is_billed:
            self.state = UsageState.CONFIRMED
        elif not self.zuora_id and not self.wanted:
            self.state = UsageState.VOID
        elif self.differs:
            self.state = UsageState.PLANNED
        elif self.state != UsageState.CONFIRMED:
            self.state = UsageState.ACCEPTED
