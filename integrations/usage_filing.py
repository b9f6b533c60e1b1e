"""Why usage is filed in Zuora under another day, or another charge, than a person would look for it; pure."""

from collections.abc import Iterator
from datetime import timedelta

from integrations.models import UsageRecord
from integrations.zuora.mapping.tenant import Tenant


def why_filed(record: UsageRecord, *, tenant: Tenant) -> str:
    """Return in sentences why it is not filed under its slice's day and the charge's present number, or nothing."""
    return " ".join(_reasons(record, tenant))


def _reasons(record: UsageRecord, tenant: Tenant) -> Iterator[str]:
    charge, number = record.charge, record.charge_number
    if number != charge.number and number in charge.numbers:
        _, ends_on = charge.time_of(number)
        yield (
            f"The charge was {number} until it was taken away, as of {ends_on}; sold again, it is {charge.number}. "
            "Usage of the time before is billed by the charge of then, at its price."
        )
    if record.slice is None:
        return
    used, filed = tenant.day(record.slice.starts_at), tenant.day(record.starts_at)
    then = charge.number_on(used - timedelta(days=1))  # of the day on which it was taken away nothing is billed
    if filed > used and then != number == charge.number:
        yield (
            "It was used before the charge was taken away, and Zuora did not take it under the number of then, "
            f"{then}: it is billed with the first day of {number}."
        )
    elif filed > used:
        yield f"Zuora bills the charge from {filed} on, a whole day at a time."
    elif filed < used:
        yield (
            f"Zuora bills whole days, and {filed} is the last one of the charge, or of its price: what was used later "
            "is filed under it."
        )
