"""What an export of a list says of each row."""

from integrations.links import link_into_tenant
from integrations.sections import Section
from integrations.views.listing import FILTERS, Row

#: The columns of an export.
COLUMNS = (
    "Stigg id",
    "Name",
    "Sync status",
    "Since (UTC)",
    "Billing ID",
    "Zuora ID",
    "Link into Zuora",
    "What happened",
    "What to do",
)


def columns_of(section: Section) -> list[str]:
    """Return the head of an export."""
    return [*COLUMNS, *(name.capitalize() for name in section.beside)]


def cells(row: Row, *, without: str) -> list[str]:
    """Return what an export says of a row, column by column; `without` is the status of what has no record."""
    return [*_common_cells(row, without), *(getattr(row.entity, name).ref_id for name in row.beside)]


def _common_cells(row: Row, without: str) -> list[str]:
    record = row.record
    if record is None:
        return [row.entity.ref_id, str(row.entity), without, "", "", "", "", "", ""]
    return [
        row.entity.ref_id,
        str(row.entity),
        FILTERS[record.standing],
        f"{record.status_since:%Y-%m-%d %H:%M:%S}",
        record.zuora_number or record.zuora_id,
        record.zuora_id,
        link_into_tenant(record),
        record.error,
        record.cure,
    ]
