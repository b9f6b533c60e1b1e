"""How many simple requests a second the stand-in answers over HTTP: `python -m tests.bench.standin`.

The load comes from another process with one selector loop, so that what is measured is the server. Beside it runs the
bound: the same application called in process by one thread, which no server in front of it can beat.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import selectors
import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from integrations.zuora.standin.app import StandIn, create_app
from integrations.zuora.standin.server import Server
from integrations.zuora.standin.wire import Request, dump, load

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT = {
    "name": "Example",
    "currency": "USD",
    "billCycleDay": 1,
    "billToContact": {"firstName": "Made", "lastName": "Up"},
}


@dataclass(frozen=True)
class Result:
    """One row: what was asked, how often in how long, and the slowest hundredth."""

    case: str
    connections: int
    requests: int
    seconds: float
    per_second: float
    p99_ms: float


@contextlib.contextmanager
def serving(app: StandIn) -> Iterator[Server]:
    """The stand-in on a free port, in a thread of this process."""
    server = Server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        app.close()


def prepared(app: StandIn) -> str:
    """A bearer token, with limits out of the way."""
    app.control.set_switches(rate_limits=[10**9] * 3, concurrency=dict.fromkeys(app.tenant.switches.concurrency, 10**6))
    form = b"client_id=demo-client&client_secret=demo-secret&grant_type=client_credentials"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = app.handle(Request("POST", "/oauth/token", "", kind, form, "http://x", "127.0.0.1"))
    return str(load(answer.body)["access_token"])


def in_process(app: StandIn, token: str, *, method: str, path: str, body: bytes, seconds: float) -> Result:
    """The bound: no sockets, one thread."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    times: list[float] = []
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        before = time.perf_counter()
        answer = app.handle(Request(method, path, "", headers, body, "http://x", "127.0.0.1"))
        times.append(time.perf_counter() - before)
        if answer.status != 200:
            raise RuntimeError(f"The stand-in answered {answer.status}: {answer.body!r}")
    return _result(f"{method} {path}, in process", 1, times, time.perf_counter() - started)


def _result(case: str, connections: int, times: list[float], seconds: float) -> Result:
    times.sort()
    p99 = times[int(len(times) * 0.99)] * 1000
    return Result(case, connections, len(times), round(seconds, 2), round(len(times) / seconds), round(p99, 2))


def load_from(port: int, message: bytes, connections: int, seconds: float) -> list[float]:
    """Keep `connections` busy with one message for a while; how long each answer took."""
    selector = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    buffers: dict[socket.socket, bytes] = {}
    for _ in range(connections):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(client, selectors.EVENT_READ, client)
        sent[client], buffers[client] = time.perf_counter(), b""
        client.sendall(message)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for key, _ in selector.select(1):
            client = key.data
            buffers[client] += client.recv(65_536)
            if _complete(buffers[client]):
                now = time.perf_counter()
                times.append(now - sent[client])
                sent[client], buffers[client] = now, b""
                client.sendall(message)
    for client in sent:
        client.close()
    selector.close()
    return times


def _complete(buffer: bytes) -> bool:
    head, found, body = buffer.partition(b"\r\n\r\n")
    if not found:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"The stand-in answered {buffer[:300]!r}")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    return len(body) >= length


def over_http(
    server: Server, token: str, method: str, path: str, body: bytes, *, connections: int, seconds: float
) -> Result:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    message = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        times = pool.apply(load_from, (server.port, message, connections, seconds))
    return _result(f"{method} {path}", connections, times, seconds)


def run(*, seconds: float = 3.0, connections: int = 40) -> list[Result]:
    """All cases of the benchmark, each for `seconds`."""
    results = []
    app = create_app(keep_log=1_000)
    token = prepared(app)
    account = dump(ACCOUNT)
    in_process(app, token, method="POST", path="/v1/accounts", body=account, seconds=0.01)
    number = app.control.rows("Account")[0]["AccountNumber"]
    cases = [
        ("GET", f"/v1/accounts/{number}", b""),
        ("GET", "/object-query/products", b""),
        ("POST", "/v1/accounts", account),
    ]
    for method, path, body in cases:
        results.append(in_process(app, token, method=method, path=path, body=body, seconds=seconds))
    with serving(app) as server:
        for method, path, body in cases:
            results.append(over_http(server, token, method, path, body, connections=connections, seconds=seconds))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=40)
    parser.add_argument("--json", action="store_true", help="JSON only")
    options = parser.parse_args()
    results = run(seconds=options.seconds, connections=options.connections)
    if not options.json:
        print(f"{'case':<44}{'connections':>12}{'requests':>10}{'per second':>12}{'p99 ms':>9}")
        for one in results:
            print(f"{one.case:<44}{one.connections:>12}{one.requests:>10}{one.per_second:>12}{one.p99_ms:>9}")
    print(json.dumps([asdict(one) for one in results]))


if __name__ == "__main__":
    main()
