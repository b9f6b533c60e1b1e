from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from integrations.zuora.standin.callouts import signature
from integrations.zuora.standin.wire import load
from tests.integrations.zuora.standin.driver import Driver, flat_catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from integrations.zuora.standin.app import StandIn


class Receiver:
    """A receiver on loopback: keeps what comes, answers as told."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.seen.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="receiver"')
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/told"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def ids(self) -> list[str]:
        return [headers["Zuora-Notification-Id"] for headers, _ in self.seen]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def ask(zuora: Driver, receiver: Receiver, **callout: Any) -> None:
    """A trigger on renamed accounts, and a callout for it."""
    event = {"name": "Renamed", "displayName": "Renamed"}
    condition = "changeType == 'UPDATE' && Account.Name != Account.Name_old"
    trigger = {"active": True, "baseObject": "Account", "condition": condition, "eventType": event}
    assert zuora.call("POST", "/events/event-triggers", trigger).status == 200
    base = {
        "name": "told",
        "eventTypeName": "Renamed",
        "calloutBaseurl": receiver.url,
        "httpMethod": "POST",
        "requiredAuth": False,
    }
    parameters = {"number": "<Account.AccountNumber>", "name": "<Account.Name>"}
    body = {
        "name": "told",
        "eventTypeName": "Renamed",
        "calloutActive": True,
        "callout": base | {"calloutParams": parameters} | callout,
    }
    reply = zuora.call("POST", "/notifications/notification-definitions", body)
    assert reply.status == 200, reply.body
    zuora.account()


def rename(zuora: Driver, name: str = "New") -> None:
    zuora.call("PUT", "/v1/accounts/cust-1", {"name": name})
    zuora.app.parts.callouts.flush()


def test_a_change_that_meets_the_condition_is_told_with_its_merge_fields(zuora: Driver, receiver: Receiver) -> None:
    ask(zuora, receiver)
    zuora.call("PUT", "/v1/accounts/cust-1", {"notes": "not a rename"})
    rename(zuora)
    assert [load(body) for _, body in receiver.seen] == [{"number": "cust-1", "name": "New"}]


def test_basic_authentication_waits_for_the_challenge_unless_preemptive(zuora: Driver, receiver: Receiver) -> None:
    auth = {"username": "who", "password": "made-up"}
    ask(zuora, receiver, requiredAuth=True, calloutAuth=auth)
    receiver.answers = [401]
    rename(zuora)
    sent = "Basic " + base64.b64encode(b"who:made-up").decode()
    assert [headers.get("Authorization") for headers, _ in receiver.seen] == [None, sent]
    definition = zuora.get("/notifications/notification-definitions")["data"][0]
    assert definition["callout"]["calloutAuth"]["password"] == "********"
    change = {"callout": definition["callout"] | {"calloutAuth": auth | {"preemptive": True}}}
    assert zuora.call("PUT", f"/notifications/notification-definitions/{definition['id']}", change).status == 200
    rename(zuora, "Again")
    assert receiver.seen[-1][0]["Authorization"] == sent
    assert len(receiver.seen) == 3


def test_a_failure_is_tried_three_times_half_an_hour_apart_under_one_id(
    zuora: Driver, app: StandIn, receiver: Receiver
) -> None:
    ask(zuora, receiver)
    receiver.answers = [503, 429, 500, 500]
    rename(zuora)
    for _ in range(3):
        app.control.advance(minutes=30)
        app.parts.callouts.flush()
    assert (len(receiver.seen), len(set(receiver.ids))) == (3, 1)
    app.control.advance(hours=1)
    zuora.login()
    listed = zuora.get("/v1/notification-history/callout")["calloutHistories"]
    assert [(one["attemptedNum"], one["responseCode"]) for one in listed] == [("3", "500"), ("2", "429"), ("1", "503")]


@pytest.mark.parametrize("status", [400, 404, 302])
def test_other_failures_are_not_tried_again(zuora: Driver, app: StandIn, receiver: Receiver, status: int) -> None:
    ask(zuora, receiver)
    receiver.answers = [status]
    rename(zuora)
    app.control.advance(minutes=30)
    app.parts.callouts.flush()
    assert len(receiver.seen) == 1


def test_a_callout_is_sent_again_under_its_old_id(zuora: Driver, app: StandIn, receiver: Receiver) -> None:
    ask(zuora, receiver)
    receiver.answers = [404]
    rename(zuora)
    history = zuora.get("/v1/notification-history/callout")["calloutHistories"][0]["id"]
    assert zuora.call("POST", "/notifications/callout-histories/resend", [history]).status == 200
    app.parts.callouts.flush()
    assert (len(receiver.seen), len(set(receiver.ids))) == (2, 1)


def test_faults_lose_repeat_and_delay_callouts(zuora: Driver, app: StandIn, receiver: Receiver) -> None:
    ask(zuora, receiver)
    app.control.add_fault("callout_twice", times=1)
    rename(zuora, "One")
    assert (len(receiver.seen), len(set(receiver.ids))) == (2, 1)
    app.control.add_fault("callout_late", times=1, seconds=60)
    rename(zuora, "Two")
    assert len(receiver.seen) == 2
    app.control.advance(seconds=60)
    app.parts.callouts.flush()
    assert len(receiver.seen) == 3
    app.control.add_fault("callout_lost", times=1)
    rename(zuora, "Three")
    assert len(receiver.seen) == 3
    app.control.advance(minutes=30)
    app.parts.callouts.flush()
    assert len(receiver.seen) == 4


def test_a_callout_can_be_signed(zuora: Driver, app: StandIn, receiver: Receiver) -> None:
    app.control.set_switches(callout_hmac_secret="made-up", callout_hmac_header="X-Signed")
    ask(zuora, receiver)
    rename(zuora)
    headers, body = receiver.seen[0]
    assert headers["X-Signed"] == signature("made-up", body)


def test_an_order_tells_that_it_was_processed(zuora: Driver, app: StandIn, receiver: Receiver) -> None:
    ask(zuora, receiver)
    base = {
        "name": "orders",
        "eventTypeName": "Order Processed",
        "calloutBaseurl": receiver.url,
        "httpMethod": "POST",
        "requiredAuth": False,
    }
    body = {"name": "orders", "eventTypeName": "Order Processed", "calloutActive": True}
    body["callout"] = base | {"calloutParams": {"order": "<Order.OrderNumber>"}}
    assert zuora.call("POST", "/notifications/notification-definitions", body).status == 200
    flat_catalog(zuora)
    zuora.subscribe(orderNumber="order-1")
    app.parts.callouts.flush()
    assert [load(body) for _, body in receiver.seen] == [{"order": "order-1"}]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/events/event-triggers", {}, "MissingRequiredField"),
        (
            "/events/event-triggers",
            {"active": True, "baseObject": "Moon", "condition": "x", "eventType": {"name": "a", "displayName": "a"}},
            "InvalidValue",
        ),
        ("/notifications/notification-definitions", {"name": "a", "eventTypeName": "none"}, "InvalidValue"),
    ],
)
def test_errors_of_events_have_text_codes(zuora: Driver, path: str, body: Any, code: str) -> None:
    reply = zuora.call("POST", path, body)
    assert (reply.status, reply.codes[0]) == (400, code)


def test_a_callout_goes_to_https_only_where_the_tenant_says_so(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(plain_callouts=False)
    callout = {
        "name": "a",
        "eventTypeName": "Order Processed",
        "calloutBaseurl": "http://127.0.0.1/x",
        "httpMethod": "POST",
        "requiredAuth": False,
    }
    body = {"name": "a", "eventTypeName": "Order Processed", "callout": callout}
    assert zuora.call("POST", "/notifications/notification-definitions", body).status == 400
    secure = body | {"callout": callout | {"calloutBaseurl": "https://receiver.example/x"}}
    assert zuora.call("POST", "/notifications/notification-definitions", secure).status == 200
    assert zuora.call("POST", "/notifications/notification-definitions", secure).codes == ["DuplicateValue"]
