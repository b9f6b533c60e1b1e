"""Planning and sending at the same moment, in two transactions of PostgreSQL: none undoes what the other did."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from integrations.models import UsageRecord, UsageState
from integrations.zuora.push import usage as push
from integrations.zuora.tenant import tenant_of
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
