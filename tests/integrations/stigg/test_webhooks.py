"""Stigg's webhooks: stored once, answered at once, and what becomes of them."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.test import Client

from customers.models import Customer
from integrations import tasks
from integrations.models import StiggAccount, StiggEvent, StiggEventState
from integrations.stigg import events, importing, reading
from integrations.stigg.account import Account, Row, StiggKind
from integrations.stigg.events import Envelope, read_envelope
from subscriptions.models import Subscription
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory
from tests.integrations.stigg.cloud import API_KEY, Cloud
from tests.integrations.stigg.conftest import NOW, SECRET
from usage.models import UsageEvent

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
URL = "/webhooks/stigg/path-made-up"


@pytest.fixture(autouse=True)
def _rings_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.webhooks.ring_stigg_event", lambda _pk: None)


def post(body: Any, *, secret: str = SECRET, url: str = URL) -> Any:
    text = body if isinstance(body, (bytes, str)) else json.dumps(body)
    headers = {"Stigg-Webhooks-Secret": secret} if secret else {}
    return Client(enforce_csrf_checks=True).post(url, data=text, content_type="application/json", headers=headers)


def flat(type_: str, ref_id: str, message_id: str = "m1", **fields: Any) -> dict[str, Any]:
    return {"type": type_, "messageId": message_id, "traceId": "t", "entityId": "uuid", "id": ref_id, **fields}


def processed(**more: Any) -> tuple[str, str]:
    """Look at the newest event, and return what became of it."""
    event = StiggEvent.objects.select_related("account").latest("pk")
    events.process(event, clock=lambda: NOW, **more)
    return event.state, event.reason


@pytest.mark.usefixtures("account")
def test_an_event_is_stored_before_it_is_answered_and_only_once() -> None:
    body = flat("customer.updated", "acme")
    assert [post(body).json() for _ in range(2)] == [{"received": True, "new": True}, {"received": True, "new": False}]
    event = StiggEvent.objects.get()
    assert (event.message_id, event.type, event.kind, event.ref_id, event.state) == (
        "m1", "customer.updated", "customer", "acme", StiggEventState.WAITING,
    )  # fmt: skip
    assert json.loads(event.body) == body


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("secret", "url", "status"),
    [
        ("wrong", URL, 401),
        ("", URL, 401),
        (SECRET, "/webhooks/stigg/another-path", 404),
    ],
)
def test_a_stranger_stores_nothing(secret: str, url: str, status: int) -> None:
    answer = post(flat("customer.updated", "acme"), secret=secret, url=url)
    assert (answer.status_code, StiggEvent.objects.count()) == (status, 0)


def test_without_a_secret_of_ours_nobody_gets_in(account: StiggAccount) -> None:
    account.hook_secret = ""
    account.save()
    assert post(flat("customer.updated", "acme"), secret="").status_code == 401


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[]", 400),
        (b"\xff\xfe", 400),
        ("{}", 400),
        ({"type": "customer.updated", "messageId": 7}, 400),
        ("[" * 100_000, 400),
        ({"type": "customer.updated", "messageId": "m\x00"}, 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
def test_what_is_no_event_is_refused_and_not_stored(body: Any, status: int) -> None:
    assert (post(body).status_code, StiggEvent.objects.count()) == (status, 0)


@pytest.mark.parametrize(
    ("event", "kind", "ref_id"),
    [
        (flat("subscription.billing_month.ends_soon", "s1"), "subscription", "s1"),
        ({"type": "addon.updated", "messageId": "m1", "createdAt": "x", "data": {"id": "support"}}, "addon", "support"),
        (flat("measurement.reported", "acme"), "", ""),
        (flat("credits.grant.created", "acme"), "", ""),
        (flat("customer.updated", ""), "", ""),
    ],
)
def test_flat_and_nested_events_are_read(event: dict[str, Any], kind: str, ref_id: str) -> None:
    assert read_envelope(json.dumps(event).encode()) == Envelope("m1", event["type"], kind, ref_id)


@pytest.mark.usefixtures("account")
def test_the_entity_is_read_again_whatever_the_event_says_of_it(cloud: Cloud) -> None:
    post(flat("customer.updated", "acme", name="An old name"))
    assert processed() == (StiggEventState.DONE, "created")
    assert Customer.objects.get().name == "Acme"
    cloud.rows["customers"][0]["name"] = "Acme Holding"
    post(flat("customer.created", "acme", "m2"))  # late, and still right
    assert processed() == (StiggEventState.DONE, "updated name")
    assert Customer.objects.get().name == "Acme Holding"


@pytest.mark.usefixtures("account")
def test_a_subscription_brings_what_it_stands_on(cloud: Cloud) -> None:
    cloud.add("subscriptions", "s1")
    post(flat("subscription.created", "s1"))
    assert processed() == (StiggEventState.DONE, "created")
    assert Subscription.objects.get().customer.ref_id == "acme"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (flat("credits.grant.created", "g1"), "Events of this type change nothing that is billed."),
        (flat("customer.updated", "nobody"), "Stigg has no customer nobody."),
    ],
)
def test_unknown_types_and_ids_are_kept_and_shown(event: dict[str, Any], reason: str) -> None:
    post(event)
    assert processed() == (StiggEventState.UNKNOWN, reason)


@pytest.mark.usefixtures("account")
def test_usage_counts_once_however_often_it_is_told() -> None:
    CustomerFactory.create(ref_id="acme")
    MeteredFeatureFactory.create(ref_id="api-calls")
    told = {
        "type": "measurement.reported",
        "timestamp": "2026-05-31T10:15:00Z",
        "currentChange": 2.5,
        "currentUsage": 100,
        "customer": {"id": "acme"},
        "feature": {"id": "api-calls"},
        "resource": {"id": "site-1"},
    }
    post({**told, "messageId": "m1"})
    assert processed() == (StiggEventState.DONE, "2.5 of api-calls for acme")
    assert processed() == (StiggEventState.DONE, "2.5 of api-calls for acme")  # the worker died before it was noted
    usage = UsageEvent.objects.values_list("idempotency_key", "value", "resource_id", "occurred_at__hour")
    assert [(key, str(value.normalize()), *rest) for key, value, *rest in usage] == [("stigg:m1", "2.5", "site-1", 10)]


@pytest.mark.usefixtures("account")
def test_usage_of_nobody_fails_with_a_sentence() -> None:
    post({"type": "measurement.reported", "messageId": "m1", "currentChange": 1, "customer": {"id": "acme"}})
    state, reason = processed()
    assert (state, reason) == (StiggEventState.FAILED, "It does not say who used how much of what: 'feature'.")


@pytest.mark.usefixtures("account")
def test_what_cannot_be_taken_fails_with_the_reason(cloud: Cloud) -> None:
    cloud.rows["customers"][0]["email"] = "nobody"
    post(flat("customer.updated", "acme"))
    assert processed() == (StiggEventState.FAILED, "email: Enter a valid email address.")


@pytest.mark.usefixtures("account")
def test_a_stigg_that_is_away_is_asked_again_later(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.stigg.account._RETRIES", 0)
    post(flat("customer.updated", "acme"))
    cloud.fails = [503]
    assert processed() == (StiggEventState.WAITING, "Stigg answered 503: it is tried again later.")
    event = StiggEvent.objects.get()
    assert (event.attempts, event.not_before) == (1, NOW + timedelta(seconds=10))
    assert processed() == (StiggEventState.DONE, "created")


@pytest.mark.usefixtures("account")
def test_after_a_dozen_attempts_a_person_has_to_look(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.stigg.account._RETRIES", 0)
    post(flat("customer.updated", "acme"))
    cloud.fails = [503] * 12
    assert [processed()[0] for _ in range(12)] == [StiggEventState.WAITING] * 11 + [StiggEventState.FAILED]


@pytest.mark.usefixtures("cloud")
def test_what_nobody_looked_at_is_swept_up(account: StiggAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(tasks, "ring_stigg_event", rung.append)
    post(flat("customer.updated", "acme"))
    StiggEvent.objects.update(received_at=NOW, not_before=NOW)
    event = StiggEvent.objects.get()
    tasks.sweep()
    assert rung == [event.pk]
    tasks.stigg_event(event.pk)
    tasks.sweep()
    assert rung == [event.pk]
    account.removed_at = NOW
    account.save()


@pytest.fixture
def ticking() -> Callable[[], datetime]:
    """A clock that is a second later each time that it is asked."""
    seconds = count()
    return lambda: NOW + timedelta(seconds=next(seconds))


def stored(message_id: str) -> StiggEvent:
    """Take an event of the customer, and return it."""
    post(flat("customer.updated", "acme", message_id))
    return StiggEvent.objects.select_related("account").get(message_id=message_id)


@pytest.mark.usefixtures("account")
def test_what_was_read_before_another_event_stored_something_is_read_again(
    cloud: Cloud, ticking: Callable[[], datetime]
) -> None:
    first, second = stored("m1"), stored("m2")

    class Late(Account):
        """Its answer was on its way while Stigg changed, and while the other event was dealt with."""

        def get(self, kind: StiggKind, ref_id: str) -> Row | None:
            row = super().get(kind, ref_id)
            cloud.rows["customers"] = [cloud.rows["customers"][0] | {"name": "Renamed"}]
            events.process(second, clock=ticking)
            return row

    late = Late(base_url=cloud.url, api_key=API_KEY, pace=lambda: None)
    events.process(first, clock=ticking, open_=lambda _account: late)
    assert (Customer.objects.get().name, first.state) == ("Acme", StiggEventState.WAITING)
    events.process(first, clock=ticking)
    assert (Customer.objects.get().name, first.state) == ("Renamed", StiggEventState.DONE)


@pytest.mark.usefixtures("account")
def test_a_page_of_an_import_does_not_undo_what_an_event_brought_meanwhile(
    cloud: Cloud, ticking: Callable[[], datetime]
) -> None:
    operation = importing.start(actor=None, now=NOW)
    page = importing.fetch(operation, {"kind": "customer"}, ticking())
    cloud.rows["customers"] = [cloud.rows["customers"][0] | {"name": "Renamed"}]
    event = stored("m1")
    events.process(event, clock=ticking)
    importing.step(operation, {}, page, ticking())
    event.refresh_from_db()
    assert (Customer.objects.get().name, event.state) == ("Acme", StiggEventState.WAITING)
    events.process(event, clock=ticking)
    assert Customer.objects.get().name == "Renamed"


def test_two_events_that_make_the_same_at_once_both_end_well(
    cloud: Cloud, account: StiggAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, clashes = reading.customer, [1]

    def while_another_makes_it(row: Row) -> tuple[dict[str, Any], str]:
        if clashes:
            clashes.pop()
            CustomerFactory.create(ref_id="acme")
        return read(row)

    monkeypatch.setattr(reading, "customer", while_another_makes_it)
    assert cloud.rows["customers"][0]["id"] == "acme"
    post(flat("customer.updated", "acme"), url=f"/webhooks/stigg/{account.hook_path}")
    assert processed() == (StiggEventState.DONE, "created")
