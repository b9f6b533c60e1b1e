"""Times as Zuora takes and shows them: any offset in, the tenant's zone out."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from integrations.zuora.standin.errors import invalid


def to_tenant_zone(text: str, zone: str, path: str) -> str:
    """A moment in the tenant's zone; one without an offset is already there.

    Source: https://docs.zuora.com/en/zuora-platform/integration/apis/soap-api (datetime field behavior).

    Raises:
        Refusal: it is not a date and time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise invalid(f"The value of {path} is not a date and time: '{text[:40]}'.") from wrong
    tenant_zone = ZoneInfo(zone)
    local = moment.astimezone(tenant_zone) if moment.tzinfo else moment.replace(tzinfo=tenant_zone)
    return local.isoformat(timespec="milliseconds")
