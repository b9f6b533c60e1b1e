"""What was accepted is read back once, however many sweeps are under way, and whoever of them dies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest

from integrations.models import UsageRecord, UsageState
from integrations.zuora.client import Client
from integrations.zuora.errors import ZuoraError
from integrations.zuora.push import usage as push
from integrations.zuora.push.far import Far
from integrations.zuora.tenant import tenant_of
from tests.integrations.deaths import dying
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [pytest.mark.engine, pytest.mark.django_db]

READ_BACK = "POST /v1/action/query"


@dataclass
class Meanwhile:
    """A client that lets something else happen while its question is under way."""

    client: Client
    happens: Callable[[], None]

    def zoql(self, query: str) -> list[dict[str, Any]]:
        self.happens()
        return self.client.zoql(query)


@pytest.fixture
def accepted(tenant: UsageWorld) -> UsageWorld:
    """Three records that Zuora took, and nobody has read back."""
    acme = tenant.sell()
    for hour in (1, 2, 3):
        tenant.use(acme, hour, at=START - timedelta(hours=hour))
    tenant.next_hour()
    tenant.push()
    tenant.world.calls()
    return tenant


def confirm(tenant: UsageWorld, *, while_it_asks: Callable[[], None] = lambda: None) -> int:
    client = cast("Client", Meanwhile(tenant.world.client, while_it_asks))
    connection = tenant.world.connection
    return push.confirm(
        Far(client=client, connection=connection, tenant=tenant_of(connection), clock=tenant.world.clock)
    )


def test_two_sweeps_at_once_read_a_record_once(accepted: UsageWorld) -> None:
    others: list[int] = []
    assert confirm(accepted, while_it_asks=lambda: others.append(confirm(accepted))) == 3
    assert others == [0]
    assert accepted.world.calls() == {READ_BACK: 1}
    assert accepted.states() == [UsageState.CONFIRMED] * 3


def test_what_a_dead_sweep_had_taken_is_read_back_a_while_later(accepted: UsageWorld) -> None:
    with dying(at=1, with_answer=True):
        confirm(accepted)
    accepted.world.calls()
    assert accepted.states() == [UsageState.ACCEPTED] * 3
    assert confirm(accepted) == 0
    accepted.advance(seconds=300)
    assert confirm(accepted) == 3
    assert accepted.world.calls() == {READ_BACK: 1}


def test_what_could_not_be_read_is_read_back_by_the_next_sweep(accepted: UsageWorld) -> None:
    accepted.control.add_fault("reset", path="/v1/action/query$", times=1)
    with pytest.raises(ZuoraError):
        confirm(accepted)
    assert confirm(accepted) == 3


def test_who_took_so_long_that_another_had_to_read_stores_nothing(accepted: UsageWorld) -> None:
    """The other one has seen that Zuora bills something else meanwhile; what was read before it is old."""

    def read_by_another() -> None:
        accepted.advance(seconds=301)
        assert confirm(accepted) == 3
        UsageRecord.objects.update(state=UsageState.ACCEPTED)  # and a person has it read once more

    assert confirm(accepted, while_it_asks=read_by_another) == 0
