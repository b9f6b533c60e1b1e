"""What a push works with, and the ways in which it ends early."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from integrations.models import Connection, SyncRecord
from integrations.zuora.client import Client
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.push.notes import Known, Notes


class Difference(Exception):  # noqa: N818 - a finding, not a fault
    """In a dry run: something would be sent."""


class Waits(Exception):  # noqa: N818 - a state, not a fault
    """A parent must go first; `key` is its record key, the text says so to a person."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class Mismatch(Exception):  # noqa: N818 - an answer for a person
    """What Zuora holds is not what it was said to be; the text says what was found."""


@dataclass
class Far:
    """One delivery's view of the tenant: the client, and what is known of the tenant without asking.

    In a dry run nothing leaves and nothing is written: the first thing that would raises `Difference`.
    """

    client: Client
    connection: Connection
    tenant: Tenant
    clock: Callable[[], datetime]
    dry: bool = False
    writes: int = 0
    known: Known = field(default_factory=Known)
    #: What was learned and is stored with the outcome; None: everything is stored at once.
    notes: Notes | None = None

    def before_write(self) -> None:
        """Call this before anything is sent or noted."""
        if self.dry:
            raise Difference
        self.writes += 1

    def note(self, record: SyncRecord, fields: Collection[str]) -> None:
        """Keep these fields of a record, of what is known anyway or could be found out again after a crash."""
        if self.notes is None or record.is_new:
            record.store(fields)
        else:
            self.notes.add(record, fields)

    def noted(self, record: SyncRecord) -> frozenset[str]:
        """Return the fields of a record that are to be stored; the caller does it."""
        return self.notes.take(record) if self.notes else frozenset()
