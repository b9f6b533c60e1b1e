"""What a push works with, and the ways in which it ends early."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from integrations.models import Connection
from integrations.zuora.client import Client
from integrations.zuora.mapping.tenant import Tenant


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

    def before_write(self) -> None:
        """Call this before anything is sent or noted."""
        if self.dry:
            raise Difference
        self.writes += 1
