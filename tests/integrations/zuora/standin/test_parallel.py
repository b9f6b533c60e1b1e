"""Forty clients at once, over real sockets, leave a consistent state."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from typing import Any

import pytest
import requests

from integrations.zuora.standin.app import create_app
from tests.bench.standin import serving
from tests.integrations.zuora.standin.driver import (
    Driver,
    account_body,
    create_action,
    trigger_dates,
    usage_body,
    usage_catalog,
)

CLIENTS = 40
# A minute with STANDIN_SECONDS=60; a moment in every run of the tests.
SECONDS = float(os.environ.get("STANDIN_SECONDS", "3"))


class Client:
    """One integration of many: its own accounts, subscriptions and usage, and one account shared by all."""

    def __init__(self, index: int, url: str, headers: dict[str, str], charge: str) -> None:
        self.index = index
        self.url = url
        self.charge = charge
        self.session = requests.Session()
        self.session.headers.update(headers)
        self.accounts: list[str] = []
        self.subscriptions: list[str] = []
        self.usage = 0
        self.locked = 0
        self.odd: list[Any] = []

    def run(self, until: float) -> None:
        turn = 0
        while time.monotonic() < until:
            self.turn(turn)
            turn += 1

    def turn(self, turn: int) -> None:
        number = f"c-{self.index}-{turn}"
        self.session.post(f"{self.url}/v1/accounts", json=account_body("everybody"), timeout=30)
        if self.send("/v1/accounts", account_body(number)):
            self.accounts.append(number)
        action = create_action(f"s-{number}", "basic-month") | {"triggerDates": trigger_dates("2026-01-01")}
        order = {
            "orderDate": "2026-01-01",
            "existingAccountNumber": "cust-1",
            "subscriptions": [{"orderActions": [action]}],
        }
        if self.send("/v1/orders", order):
            self.subscriptions.append(f"s-{number}")
        if self.send("/v1/action/create", {"type": "Usage", "objects": [usage_body(self.charge, Quantity=1)] * 3}):
            self.usage += 3

    def send(self, path: str, body: Any) -> bool:
        answer = self.session.post(self.url + path, json=body, timeout=30)
        value = answer.json()
        if isinstance(value, list):
            return all(one["Success"] for one in value)
        if value.get("success") is True:
            return True
        codes = {reason["code"] % 100 for reason in value.get("reasons", [])}
        self.locked += codes == {50}
        if codes != {50}:
            self.odd.append((answer.status_code, value))
        return False


@pytest.mark.processes
def test_forty_clients_leave_a_consistent_state() -> None:
    app = create_app(keep_log=1_000)
    zuora = Driver(app)
    charge = usage_catalog(zuora)
    app.control.set_switches(rate_limits=[10**9] * 3, concurrency=dict.fromkeys(app.tenant.switches.concurrency, 10**6))
    headers = {"Authorization": str(zuora.session.headers["Authorization"]), "Zuora-Version": "2025-08-12"}
    with serving(app) as server:
        clients = [Client(index, server.url, headers, charge) for index in range(CLIENTS)]
        until = time.monotonic() + SECONDS
        threads = [threading.Thread(target=client.run, args=(until,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rows = app.control.rows
        assert [one for client in clients for one in client.odd] == []
        accounts = Counter(row["AccountNumber"] for row in rows("Account"))
        assert accounts == Counter([*(one for client in clients for one in client.accounts), "everybody", "cust-1"])
        assert len(rows("Contact")) == len(rows("Account"))
        latest = sorted(row["Name"] for row in rows("Subscription") if row["IsLatestVersion"])
        assert latest == sorted([*(one for client in clients for one in client.subscriptions), "sub-1"])
        assert len(rows("Order")) == len(latest)
        assert len(rows("Usage")) == sum(client.usage for client in clients)
        assert app.parts.limits.in_flight["all"] == 0
