"""Two at the same subscription's usage at once, on PostgreSQL: none undoes what the other did, or does it again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from integrations import usage_sync
from integrations.models import UsageRecord, UsageState
from integrations.usage_sync import Sent
from integrations.zuora.push import usage as push
from integrations.zuora.tenant import tenant_of
from subscriptions.models import Subscription
from tests.integrations.usage_world import START, UsageWorld, tenant

__all__ = ["tenant"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time."),
]

_RECORDS = f'INSERT INTO "{UsageRecord._meta.db_table}"'


def in_another_process(work: Callable[[], Any]) -> Any:
    """Do it on a connection of its own, and wait for it: what is locked here it must not wait for."""

    def run() -> Any:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        return other.submit(run).result()


def test_what_planning_changes_is_not_put_into_a_call_meanwhile(tenant: UsageWorld) -> None:
    acme, hour = tenant.sell(), START - timedelta(hours=2)
    tenant.use(acme, 1, at=hour)
    tenant.quiet()
    there = tenant.world.connection

    def plan() -> None:
        push.plan(connection=there, tenant=tenant_of(there), subscription_ids=[acme.pk], now=tenant.now)

    def form() -> list[int]:
        return push.form(connection=there, now=tenant.now)

    tenant.use(acme, 2, at=hour)
    tenant.close()
    plan()
    tenant.use(acme, 4, at=hour)
    tenant.close()
    formed: list[list[int]] = []

    def just_before_it_writes(execute: Callable[..., Any], sql: str, *more: Any) -> Any:
        if sql.startswith(_RECORDS) and not formed:
            formed.append([])
            formed[0] = in_another_process(form)
        return execute(sql, *more)

    with connection.execute_wrapper(just_before_it_writes):
        plan()
    assert formed == [[]], "a sweep sent a record while planning was about to write it"
    [batch] = form()
    assert list(UsageRecord.objects.values_list("wanted", "sent", "state", "batch")) == [
        (7, 7, UsageState.SENDING, batch)
    ]


def click(tenant: UsageWorld, *, meanwhile: Callable[[], Any] = lambda: None) -> Sent:
    """Press "Sync usage to Zuora"; something else happens before the first call."""

    def open_client(_: object) -> Any:
        meanwhile()
        return tenant.world.client

    return usage_sync.sync_now(
        subscription=Subscription.objects.get(), actor=None, now=tenant.now, open_client=open_client
    )


@pytest.fixture
def used(tenant: UsageWorld) -> UsageWorld:
    """Two full hours have usage that is not in Zuora yet."""
    acme = tenant.sell()
    for hours in (1, 2):
        tenant.use(acme, hours, at=START - timedelta(hours=hours))
    return tenant


def check_all_is_there_once(tenant: UsageWorld) -> None:
    tenant.quiet()
    assert (tenant.quantities(), tenant.states()) == ([2, 1], [UsageState.CONFIRMED] * 2)


def test_a_click_while_the_hourly_push_sends_sends_nothing_and_says_so(
    used: UsageWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, sent = push.send, list[Sent]()

    def send_later(*args: Any) -> None:
        if not sent:
            sent.append(in_another_process(lambda: click(used)))
        send(*args)

    monkeypatch.setattr(push, "send", send_later)
    used.push()
    assert sent == [Sent(records=(), left=2, problem="")]
    assert used.quantities() == [2, 1]
    assert click(used) == Sent(records=(), left=0, problem="")
    check_all_is_there_once(used)


def test_a_click_names_what_the_hourly_push_has_sent_meanwhile(used: UsageWorld) -> None:
    sent = click(used, meanwhile=lambda: in_another_process(used.push))
    assert ([one.wanted for one in sent.records], sent.left, sent.problem) == ([2, 1], 0, "")
    check_all_is_there_once(used)


def test_an_hourly_push_while_a_click_sends_sends_nothing(used: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    send, calls = push.send, list[str]()

    def send_later(*args: Any) -> None:
        if not calls:
            calls.append("held")
            in_another_process(used.push)
            in_another_process(used.sweep)
            assert used.quantities() == []
        send(*args)

    monkeypatch.setattr("integrations.zuora.push.usage.flushing.send", send_later)
    sent = click(used)
    assert ([one.wanted for one in sent.records], sent.left, sent.problem) == ([2, 1], 0, "")
    check_all_is_there_once(used)
