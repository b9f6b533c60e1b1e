"""Control API, data file, server and command."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from integrations.zuora.standin.app import create_app
from integrations.zuora.standin.journal import DataFileError
from integrations.zuora.standin.server import Server
from integrations.zuora.standin.wire import Request
from tests.integrations.zuora.standin.driver import BASE, Driver, account_body, flat_catalog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from integrations.zuora.standin.app import StandIn

MANAGE = [sys.executable, "manage.py", "zuora_standin"]


def control(zuora: Driver, method: str, path: str, body: Any = None) -> Any:
    response = zuora.session.request(method, f"{BASE}/standin/{path}", json=body)
    return response.status_code, response.json()


def test_the_control_api_sets_the_clock(zuora: Driver) -> None:
    assert control(zuora, "POST", "clock", {"now": "2026-05-01T00:00:00Z"})[1]["now"] == "2026-05-01T00:00:00+00:00"
    status, answer = control(zuora, "POST", "clock", {"advance": {"days": 1, "hours": 2}})
    assert (status, answer) == (200, {"now": "2026-05-02T02:00:00+00:00", "stopped": True})
    assert control(zuora, "POST", "clock", {"follow": True})[1]["stopped"] is False


def test_the_control_api_adds_lists_and_clears_faults(zuora: Driver) -> None:
    added = control(zuora, "POST", "faults", {"kind": "limit", "times": 2, "path": "/v1/accounts", "seconds": 1})[1]
    assert (added["kind"], added["times"]) == ("limit", 2)
    assert zuora.call("GET", "/v1/accounts/x").status == 429
    assert control(zuora, "GET", "faults")[1]["faults"][0]["applied"] == 1
    control(zuora, "DELETE", "faults")
    assert zuora.call("GET", "/v1/accounts/x").status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "faults", {"kind": "flood"}, 400),
        ("POST", "faults", {"kind": "drop", "colour": "red"}, 400),
        ("POST", "faults", {"kind": "drop", "rate": 7}, 400),
        ("POST", "faults", {"kind": "drop", "path": "("}, 400),
        ("PUT", "switches", {"nonsense": 1}, 400),
        ("PUT", "switches", {"orders": "yes"}, 400),
        ("POST", "clock", {"now": "soon"}, 400),
        ("POST", "clock", {"now": "2026-01-01T00:00:00"}, 400),
        ("POST", "bill-run", {"date": "soon"}, 400),
        ("POST", "restore", {"name": "none"}, 404),
        ("GET", "nonsense", None, 404),
    ],
)
def test_a_wrong_control_request_is_one_sentence(zuora: Driver, method: str, path: str, body: Any, status: int) -> None:
    found, answer = control(zuora, method, path, body)
    assert (found, set(answer)) == (status, {"message"})


def test_the_control_api_answers_loopback_only(app: StandIn) -> None:
    answer = app.handle(Request("GET", "/standin/counts", "", {}, b"", "http://x", "203.0.113.9"))
    assert answer.status == 403


def test_a_snapshot_is_gone_back_to(zuora: Driver) -> None:
    zuora.account("cust-1")
    control(zuora, "POST", "snapshot", {"name": "one"})
    zuora.account("cust-2")
    control(zuora, "POST", "restore", {"name": "one"})
    assert [row["AccountNumber"] for row in zuora.app.control.rows("Account")] == ["cust-1"]
    assert zuora.call("GET", "/v1/accounts/cust-2").status == 404
    control(zuora, "POST", "reset")
    assert control(zuora, "GET", "counts")[1]["rows"]["Account"] == 0


def test_a_bill_run_and_the_requests_by_http(zuora: Driver) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    invoices = control(zuora, "POST", "bill-run", {"date": "2026-01-01"})[1]["invoices"]
    assert [(one["InvoiceNumber"], one["Amount"]) for one in invoices] == [("INV00000001", 100.0)]
    seen = control(zuora, "GET", "requests?method=POST&template=/v1/accounts")[1]
    assert (seen["total"], seen["requests"][0]["body"]["accountNumber"]) == (1, "cust-1")
    assert "authorization" not in seen["requests"][0]["headers"]


def test_faults_by_rate_repeat_with_their_seed() -> None:
    def statuses(seed: int) -> list[int]:
        zuora = Driver(create_app(seed=seed))
        zuora.app.control.add_fault("status", rate=0.5)
        return [zuora.call("GET", "/v1/catalog/products").status for _ in range(40)]

    first = statuses(1)
    assert (first == statuses(1), first == statuses(2), set(first)) == (True, False, {200, 503})


def test_the_data_file_brings_everything_back(tmp_path: Path) -> None:
    file = tmp_path / "zuora.data"
    app = create_app(data=file)
    zuora = Driver(app)
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    assert zuora.call("POST", "/v1/accounts", account_body("cust-2"), Idempotency_Key="k-1").status == 200
    assert zuora.call("DELETE", "/v1/accounts/cust-2").status == 200
    tables = app.tenant.store.tables
    before = {name: dict(table.rows) for name, table in tables.items()}
    app.close()
    with file.open("ab") as torn:
        torn.write(b'{"changes":[["Account"')
    app = create_app(data=file)
    assert {name: dict(table.rows) for name, table in app.tenant.store.tables.items()} == before
    zuora = Driver(app)
    assert (
        zuora.call("POST", "/v1/accounts", account_body("cust-9"), Idempotency_Key="k-1").body["accountNumber"]
        == "cust-2"
    )
    ids = [row["Id"] for name in ("Product", "Account", "Token") for row in app.control.rows(name)]
    assert len(ids) == len(set(ids))
    app.close()


def test_a_data_file_in_use_or_damaged_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "zuora.data"
    app = create_app(data=file)
    with pytest.raises(DataFileError, match="in use by another stand-in"):
        create_app(data=file)
    app.close()
    file.write_bytes(b"nonsense\n")
    with pytest.raises(DataFileError, match="line 1, is damaged"):
        create_app(data=file)
    with pytest.raises(DataFileError, match="cannot be opened"):
        create_app(data=tmp_path / "none" / "zuora.data")


def test_a_long_history_is_written_anew_on_start(tmp_path: Path) -> None:
    file = tmp_path / "zuora.data"
    app = create_app(data=file)
    zuora = Driver(app)
    zuora.account()
    for index in range(1_100):
        zuora.call("PUT", "/v1/accounts/cust-1", {"name": f"n-{index}"})
    app.close()
    long = file.stat().st_size
    app = create_app(data=file)
    assert (file.stat().st_size < long / 10, app.control.rows("Account")[0]["Name"]) == (True, "n-1099")
    app.close()


@pytest.fixture
def served(app: StandIn) -> Iterator[Server]:
    server = Server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.stop()
    thread.join()


def test_the_server_keeps_connections_and_reads_chunks(served: Server, zuora: Driver) -> None:
    headers = {"Authorization": str(zuora.session.headers["Authorization"]), "Zuora-Version": "2025-08-12"}
    connection = http.client.HTTPConnection(served.host, served.port)
    body = json.dumps(account_body("cust-1")).encode()
    chunks = iter([body[:20], body[20:]])
    connection.request(
        "POST", "/v1/accounts", chunks, headers | {"Content-Type": "application/json"}, encode_chunked=True
    )
    assert json.loads(connection.getresponse().read())["accountNumber"] == "cust-1"
    sock = connection.sock
    connection.request("GET", "/v1/accounts/cust-1", headers=headers)
    assert (json.loads(connection.getresponse().read())["success"], connection.sock is sock) == (True, True)
    connection.close()


def test_a_dropped_answer_is_a_closed_connection_and_a_reset_a_reset(served: Server, app: StandIn) -> None:
    app.control.add_fault("drop", times=1)
    with pytest.raises(requests.ConnectionError, match="Remote end closed connection without response"):
        requests.get(f"{served.url}/v1/catalog/products", timeout=5)
    app.control.add_fault("reset", times=1)
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        requests.get(f"{served.url}/v1/catalog/products", timeout=5)


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9 x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_and_closed(served: Server, sent: bytes) -> None:
    with socket.create_connection((served.host, served.port), timeout=5) as client:
        client.sendall(sent)
        assert client.recv(20).startswith(b"HTTP/1.1 4")


def test_a_client_that_goes_away_harms_nobody(served: Server, zuora: Driver) -> None:
    for sent in (b"", b"POST /v1/accounts HTTP/1.1\r\nContent-Length: 500\r\n\r\n{", b"GET /v1"):
        with socket.create_connection((served.host, served.port), timeout=5) as client:
            client.sendall(sent)
    token = str(zuora.session.headers["Authorization"])
    answer = requests.get(f"{served.url}/v1/catalog/products", headers={"Authorization": token}, timeout=5)
    assert answer.json()["success"] is True


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen([*MANAGE, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)  # noqa: S603
    assert process.stdout is not None
    return process, process.stdout.readline().rsplit(" ", 1)[-1].strip()


def token_at(url: str) -> dict[str, str]:
    form = {"client_id": "demo-client", "client_secret": "demo-secret", "grant_type": "client_credentials"}
    return {
        "Authorization": f"Bearer {requests.post(f'{url}/oauth/token', data=form, timeout=5).json()['access_token']}"
    }


@pytest.mark.processes
def test_what_was_answered_with_success_is_there_after_sigkill(tmp_path: Path) -> None:
    file = str(tmp_path / "zuora.data")
    process, url = start("--data", file)
    headers = token_at(url)
    answered: list[str] = []

    def write() -> None:
        session = requests.Session()
        try:
            for index in range(100_000):
                body = account_body(f"c-{index}")
                if session.post(f"{url}/v1/accounts", json=body, headers=headers, timeout=5).json()["success"]:
                    answered.append(f"c-{index}")
        except (requests.RequestException, ValueError):
            return

    thread = threading.Thread(target=write)
    thread.start()
    while len(answered) < 50:
        time.sleep(0.01)
    process.kill()
    thread.join()
    process.communicate()
    process, url = start("--data", file)
    session = requests.Session()
    session.headers.update(token_at(url))
    for number in answered:
        assert session.get(f"{url}/v1/accounts/{number}", timeout=5).json()["success"] is True
    process.terminate()
    assert (process.wait(timeout=10), len(answered) >= 50) == (0, True)
    process.communicate()


@pytest.mark.processes
def test_the_command_ends_cleanly_and_refuses_a_taken_port_in_a_sentence() -> None:
    process, url = start()
    port = url.rsplit(":", 1)[-1]
    second = subprocess.run([*MANAGE, "--port", port], capture_output=True, text=True, check=False)  # noqa: S603
    assert (second.returncode, second.stderr.strip()) == (
        1,
        f"CommandError: Cannot listen on 127.0.0.1:{port}: Address already in use.",
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0
    process.communicate()
