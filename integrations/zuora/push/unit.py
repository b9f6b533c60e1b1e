"""Units of measure: made when the first charge needs one."""

from http import HTTPStatus
from typing import Any

from integrations.zuora.errors import Forbidden, Rejected, ZuoraError
from integrations.zuora.mapping.nodes import UnitNode
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.place import Endpoints, Held, Wanted, place
from integrations.zuora.push.records import unit_record


def place_unit(far: Far, unit: UnitNode) -> None:
    """Make sure that the tenant has the unit; one that somebody else made is taken as it is."""
    record = unit_record(far, key=f"unit:{unit.name}")
    if record.is_linked and record.pending_since is None:
        return

    def find() -> Held | None:
        row = next((row for row in _units(far) if row["name"] == unit.name), None)
        if row is not None and row.get("active") is False:
            raise Mismatch(
                f"The unit {unit.name} is inactive in Zuora: activate it at Billing Settings > Units of Measure."
            )
        return Held(str(row["id"]), unit.name) if row else None

    endpoints = Endpoints(
        create=lambda body, key: far.client.create_unit_of_measure(body, idempotency_key=key),
        held=lambda answer: Held(str(answer.get("id") or unit.name)),
        find=find,
        update=lambda _: None,  # what somebody else made is not ours to change
    )
    try:
        place(far, record, Wanted(unit.body, unit.name), endpoints)
        if fields := far.noted(record):
            record.store(fields)  # at once: other plans need it
    except (Forbidden, Rejected) as error:
        if not _is_closed(error):
            raise
        raise Mismatch(
            f"Zuora has no unit {unit.name}, and the API user may not make it: create it at Billing Settings > "
            "Units of Measure, or give the user the permission, then retry."
        ) from error


def _units(far: Far) -> list[dict[str, Any]]:
    try:
        return far.client.units_of_measure()
    except (Forbidden, Rejected) as error:
        if not _is_closed(error):
            raise
        return far.client.units_of_measure_by_zoql()


def _is_closed(error: ZuoraError) -> bool:
    """Whether the Settings API is not for us: it has a permission of its own, and is not served everywhere."""
    return isinstance(error, Forbidden) or error.status == HTTPStatus.NOT_FOUND
