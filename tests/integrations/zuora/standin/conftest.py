from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from integrations.zuora.standin.app import StandIn, create_app
from tests.integrations.zuora.standin.driver import Driver

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
