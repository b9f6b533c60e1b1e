"""The stand-in's own time: it follows the wall clock until a test moves or stops it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that can be set, moved and stopped; every answer of the stand-in reads this one only."""

    def __init__(self, *, start: datetime | None = None) -> None:
        self._offset = timedelta()
        self._stopped_at: datetime | None = None
        if start is not None:
            self.stop_at(start)

    def now(self) -> datetime:
        """The current instant, aware and in UTC."""
        if self._stopped_at is not None:
            return self._stopped_at
        return datetime.now(UTC) + self._offset

    def stop_at(self, instant: datetime) -> None:
        """Stand still at `instant` until moved.

        Raises:
            ValueError: the instant has no time zone.
        """
        if instant.tzinfo is None:
            raise ValueError("The clock needs an instant with a time zone, such as 2026-01-31T00:00:00Z.")
        self._stopped_at = instant.astimezone(UTC)

    def advance(self, span: timedelta) -> None:
        """Move by `span`; a stopped clock stays stopped."""
        if self._stopped_at is not None:
            self._stopped_at += span
        else:
            self._offset += span

    def follow_wall_clock(self) -> None:
        """Run again, from the present."""
        self._stopped_at = None
        self._offset = timedelta()

    @property
    def stopped(self) -> bool:
        return self._stopped_at is not None
