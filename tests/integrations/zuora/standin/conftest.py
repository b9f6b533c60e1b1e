from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from integrations.zuora.standin.app import StandIn, create_app
from tests.integrations.zuora.standin.driver import Driver, flat_catalog, usd

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def app() -> Iterator[StandIn]:
    app = create_app(start=START)
    yield app
    app.close()


@pytest.fixture
def zuora(app: StandIn) -> Driver:
    return Driver(app)


@pytest.fixture
def sold(zuora: Driver) -> Driver:
    """A tenant with a plan of a flat fee and of seats, and an account."""
    _, plan, _ = flat_catalog(zuora)
    zuora.unit("seats", precision=0)
    zuora.charge(plan, "seats", [usd(10)], ChargeModel="Per Unit Pricing", UOM="seats", DefaultQuantity=1)
    zuora.account()
    return zuora
