import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from integrations.models import Connection, EntityKind, JobState, SyncJob


def ours(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^(stigg_zuora_\S+) (\S+)$", text, re.MULTILINE)}


@pytest.mark.django_db
def test_the_backlog_is_told_by_state(client: Client) -> None:
    now = timezone.now()
    tenant = Connection.objects.create(
        rest_url="http://127.0.0.1:8900",
        tenant_id="1",
        client_id="made-up",
        client_secret="made-up",
        key_prefix="stigg",
        connected_at=now,
        credentials_since=now,
    )
    rows = [
        (JobState.WAITING, "", now - timedelta(hours=1)),
        (JobState.WAITING, "", now + timedelta(hours=1)),
        (JobState.WAITING, "plan:pro", now),
        (JobState.SENDING, "", now),
        (JobState.FAILED, "", now),
        (JobState.DONE, "", now),
    ]
    for number, (state, waiting_for, not_before) in enumerate(rows):
        SyncJob.objects.create(
            connection=tenant,
            kind=EntityKind.PLAN,
            entity_id=number,
            key=f"plan:{number}",
            state=state,
            waiting_for=waiting_for,
            not_before=not_before,
            cause="Made up." if state == JobState.FAILED else "",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    told = ours(client.get("/metrics").content.decode())

    assert told.pop("stigg_zuora_oldest_due_job_seconds") == pytest.approx(3600, abs=60)
    assert told == {
        'stigg_zuora_jobs{state="due"}': 1,
        'stigg_zuora_jobs{state="sending"}': 1,
        'stigg_zuora_jobs{state="failed"}': 1,
        'stigg_zuora_jobs{state="waiting_for_parent"}': 1,
    }


def test_metrics_answer_while_the_database_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    for name, value in {"HOST": "/nowhere", "OPTIONS": {}}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    with django_db_blocker.unblock():
        connection.close()
        client.cookies["sessionid"] = "of-somebody-who-is-logged-in"
        answer = client.get("/metrics")
        connection.close()

    assert answer.status_code == 200
    assert ours(answer.content.decode()) == {}
