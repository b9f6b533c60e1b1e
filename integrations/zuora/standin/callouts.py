"""Callouts: what happened in the tenant, told to whoever asked (placeholder until definitions exist)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from integrations.zuora.standin.faults import Faults
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant


class Callouts:
    def __init__(self, tenant: Tenant, faults: Faults) -> None:
        self.tenant = tenant
        self.faults = faults

    def take(self, events: list[tuple[str, str, Row]]) -> None:
        events.clear()

    def close(self) -> None:
        pass
