"""The activity, filtered by kind and state: found however many others came after, each page looking at some."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integrations.models import Connection, EntityKind, SyncJob
from integrations.views import looking_back
from tests.integrations.searched_logs import NOW, browser, follow

__all__ = ["browser"]
pytestmark = [pytest.mark.django_db, pytest.mark.engine]


def jobs(connection: Connection, count: int, kind: EntityKind, state: str = "DONE", **values: Any) -> None:
    SyncJob.objects.bulk_create(
        SyncJob(
            connection=connection,
            kind=kind,
            entity_id=number,
            key=f"{kind}:{number}",
            state=state,
            not_before=NOW,
            created_at=NOW + timedelta(hours=number),
            **values,
        )
        for number in range(1, count + 1)
    )


def keys(response: Any) -> list[str]:
    return [job.key for job in response.context["slice"].rows]


def test_the_activity_of_a_kind_is_found_however_many_others_came_after(
    browser: Client, connection: Connection
) -> None:
    jobs(connection, 3, EntityKind.PLAN)
    jobs(connection, 12, EntityKind.CUSTOMER)
    jobs(connection, 15, EntityKind.SUBSCRIPTION, "WAITING", waiting_for="customer:1")
    assert keys(browser.get("/activity/?kind=plan")) == ["plan:3", "plan:2", "plan:1"]
    assert keys(browser.get("/activity/?kind=plan&state=DONE")) == ["plan:3", "plan:2", "plan:1"]
    assert keys(browser.get("/activity/?state=PARENT&kind=plan")) == []
    assert len(keys(browser.get("/activity/?state=PARENT"))) == 15
    first = browser.get("/activity/?kind=customer")
    assert keys(first) == []
    assert "No job matches so far." in first.content.decode()
    second = follow(browser, first, "next")
    assert keys(second) == [f"customer:{number}" for number in range(12, 7, -1)]
    assert "2026-03-01 20:00 UTC" in second.content.decode().split("Looked through back to")[1].split(";")[0]
    third = follow(browser, second, "next")
    assert keys(third) == [f"customer:{number}" for number in range(7, 0, -1)]


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize(("query", "expected"), [("", 7), ("kind=customer", 9), ("state=DONE&kind=customer", 9)])
def test_the_activity_costs_the_same_however_much_there_was(
    browser: Client, connection: Connection, count: int, query: str, expected: int
) -> None:
    jobs(connection, count, EntityKind.CUSTOMER)
    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(database) as queries:
        patch.setattr(looking_back, "LOOKED_AT", 20_000)
        browser.get(f"/activity/?{query}")
    assert len(queries) == expected
