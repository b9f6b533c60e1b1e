"""Which road new usage takes to Zuora: Actions, fifty records to a call, or one file with all of them.

Actions are the rule: each record has an answer of its own, and some 40,000 of them a second can go. A file spares
calls, and is worse in all else: all or nothing, answered later, its times are days. So it pays only for many new
records, and only where Zuora's limit of calls in a day is near.
Source of the limits: https://developer.zuora.com/v1-api-reference/rate-limits/
"""

from dataclasses import dataclass
from enum import StrEnum

from integrations.zuora.client.actions import MOST_OBJECTS

#: From so many new records on a file is thought of.
LEAST = 1000
#: Actions are too dear where they would take more than one in so many of the calls that are left in the day.
SHARE = 100


class Road(StrEnum):
    ACTIONS = "actions"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class FileRoad:
    """That files may be used, and how: `dates` is the API user's format, `MM/DD/YYYY` or `DD/MM/YYYY`.

    `always`: however many calls are left. `calls_left_today` is None while Zuora has not told.
    """

    dates: str
    least: int = LEAST
    always: bool = False
    calls_left_today: int | None = None


def road(
    records: int, *, calls_left_today: int | None, file_allowed: bool, least: int = LEAST, always: bool = False
) -> Road:
    """Return the cheaper road for so many records that were never sent; changed ones can only go by Actions."""
    if not file_allowed or records < max(least, 1):
        return Road.ACTIONS
    if always:
        return Road.FILE
    calls = -(-records // MOST_OBJECTS)
    scarce = calls_left_today is not None and calls * SHARE > calls_left_today
    return Road.FILE if scarce else Road.ACTIONS


def road_of(records: int, files: FileRoad | None) -> Road:
    """Return the road of so many new records where files may be used like that, or not at all."""
    if files is None:
        return Road.ACTIONS
    return road(
        records,
        calls_left_today=files.calls_left_today,
        file_allowed=True,
        least=files.least,
        always=files.always,
    )
