"""A look at a subscription in Zuora, whatever the tenant does."""

import pytest
import requests
import urllib3

from integrations.looking import Seen, look
from integrations.models import AuditEntry, Request
from tests.browser.scene import people
from tests.factories.catalog import plan_with_prices
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]


@pytest.fixture
def pushed(world: World) -> World:
    SubscriptionFactory.create(ref_id="first", plan=plan_with_prices(ref_id="pro"))
    world.settle()
    world.calls()
    return world


def seen(world: World) -> Seen:
    record = world.record("subscription:first")
    return look(record=record, actor=people()["Operator"], now=world.now, open_client=lambda _: world.client)


def test_a_look_reads_the_version_and_the_orders_and_changes_nothing(pushed: World) -> None:
    found = seen(pushed)
    assert (found.problem, found.subscription["version"], found.subscription["status"]) == ("", 1, "Active")
    assert [order["status"] for order in found.orders] == ["Completed"]
    actions = [one["type"] for order in found.orders for sub in order["subscriptions"] for one in sub["orderActions"]]
    assert actions == ["CreateSubscription"]
    assert pushed.calls() == {"GET /v1/subscriptions/{key}": 1, "GET /v1/orders/subscription/{number}": 1}


def test_a_look_is_in_the_request_log_and_in_the_audit_log(pushed: World) -> None:
    before = Request.objects.count()
    seen(pushed)
    assert Request.objects.count() == before + 2
    entry = AuditEntry.objects.get(action="look in Zuora")
    assert (entry.actor_name, entry.subject) == ("operator", "subscription:first")


def test_what_zuora_does_not_have_is_told_in_words(pushed: World) -> None:
    record = pushed.record("subscription:first")
    record.zuora_number = "no-such-number"
    found = look(record=record, actor=None, now=pushed.now, open_client=lambda _: pushed.client)
    assert found.problem
    assert (found.subscription, found.orders) == ({}, [])


def test_a_tenant_that_is_away_is_told_in_words(pushed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise requests.exceptions.ConnectTimeout("made up")

    monkeypatch.setattr("tests.standin_transport.WSGIAdapter.send", away)
    found = seen(pushed)
    assert found.problem.startswith("No connection to rest.test.zuora.com")
    assert (found.subscription, found.orders) == ({}, [])


def test_what_could_not_connect_is_not_named_by_its_place_in_memory(
    pushed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = urllib3.connectionpool.HTTPSConnectionPool("rest.test.zuora.com")

    def away(*_: object, **__: object) -> None:
        reason = urllib3.exceptions.NewConnectionError(pool._new_conn(), "Failed to resolve")  # type: ignore[arg-type]  # as it is raised
        raise requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", reason))

    monkeypatch.setattr("tests.standin_transport.WSGIAdapter.send", away)
    assert seen(pushed).problem == "No connection to rest.test.zuora.com: Failed to resolve"
