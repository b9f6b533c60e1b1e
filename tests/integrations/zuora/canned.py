"""A client before canned answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests
import responses

from integrations.zuora.auth import Credentials
from integrations.zuora.budget import Budget, Seat
from integrations.zuora.client import Client
from integrations.zuora.leases import CallClass, MemoryLeases, Priority

BASE = "https://rest.test.zuora.com"
ID = "8ad0000000000000000000000000000a"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = "made-up-key-1"
CREATED = {"Success": True, "Id": ID}
BODY = {"Name": "Made up", "Price": Decimal("9.90")}


@contextmanager
def answering() -> Iterator[responses.RequestsMock]:
    """Answer token requests with T1, T2, ..., and whatever the test adds."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        tokens = iter(range(1, 100))
        mock.add_callback(
            responses.POST,
            f"{BASE}/oauth/token",
            lambda _: (
                200,
                {},
                json.dumps(
                    {"access_token": f"T{next(tokens)}", "expires_in": 3599, "scope": "user.u1 entity.e1 tenant.12"}
                ),
            ),
        )
        yield mock


class SpyBudget(Budget):
    """A budget that keeps what it was asked for."""

    def __init__(self) -> None:
        super().__init__(MemoryLeases())
        self.asked: list[tuple[CallClass, Priority]] = []

    def slot(self, call_class: CallClass, priority: Priority, seat: Seat | None = None) -> Any:
        self.asked.append((call_class, priority))
        return super().slot(call_class, priority, seat)


def make_client(**options: Any) -> Client:
    return Client(Credentials(BASE, "made-up-client", "made-up-secret"), clock=lambda: NOW, **options)


def calls(zuora: responses.RequestsMock) -> list[requests.PreparedRequest]:
    """Return what was sent but for token requests."""
    return [call.request for call in zuora.calls if not str(call.request.url).endswith("/oauth/token")]
