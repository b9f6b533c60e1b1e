"""`manage.py reconcile_usage`, asked of the tenant of the test, and all that it says."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integrations.management.commands import reconcile_usage
from tests.integrations.usage_world import UsageWorld


@pytest.fixture
def reconciled(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> UsageWorld:
    """The tenant that the command asks."""
    monkeypatch.setattr(reconcile_usage, "client_for", lambda _: tenant.world.client)
    return tenant


def compare(**options: Any) -> list[str]:
    """Run the command; return what it says, the refusal at the end included."""
    said = StringIO()
    try:
        call_command("reconcile_usage", stdout=said, no_color=True, **options)
    except CommandError as refusal:
        said.write(f"{refusal}\nexit {refusal.returncode}")
    return [line.strip() for line in said.getvalue().splitlines()]
