"""`manage.py import_usage` is killed by SIGKILL, twice, and goes on: every line of the file is stored once."""

import os
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection as database
from django.db import transaction

from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory, UsageEventFactory
from tests.processes.deployment import Deployment
from tests.processes.running import Running
from usage.models import DirtyHour, UsageEvent

pytestmark = pytest.mark.processes

LINES = 2_500


@pytest.fixture
def deployment(transactional_db: None) -> Iterator[Deployment]:
    """The database and nothing else: nobody is asked, and nobody is told."""
    server = os.environ["DATABASE_URL"].rpartition("/")[0]
    url = f"{server}/{database.settings_dict['NAME']}"
    with (
        tempfile.TemporaryDirectory(prefix="sz-") as directory,
        Deployment(Path(directory), database_url=url, redis_url=os.environ["REDIS_URL"]) as made,
    ):
        yield made


def written(path: Path) -> Path:
    path.write_text(
        "".join(
            f'{{"customerId": "acme", "featureId": "api-calls", "value": {number}.5, "idempotencyKey": "k{number}", '
            f'"createdAt": "2026-03-01T{number % 24:02}:30:00Z"}}\n'
            for number in range(LINES)
        )
    )
    return path


def run(deployment: Deployment, file: Path, turn: str) -> Running:
    return deployment.start(turn, ["manage.py", "import_usage", file])


def said(running: Running) -> tuple[int, list[str]]:
    return running.popen.wait(timeout=60), running.log.read_text().splitlines()


def test_a_run_that_is_killed_twice_goes_on_and_stores_every_line_once(deployment: Deployment) -> None:
    acme = CustomerFactory.create(ref_id="acme")
    feature = MeteredFeatureFactory.create(ref_id="api-calls")
    file = written(deployment.directory / "usage.jsonl")
    checkpoint = Path(f"{file}.checkpoint")

    # The first dies after it has stored a thousand lines, and before it could say so: nobody reads what it writes.
    os.mkfifo(f"{checkpoint}.new")
    first = run(deployment, file, "first")
    deployment.wait_until(lambda: UsageEvent.objects.count() == 1000, "a thousand lines", alive=[first])
    first.kill()
    assert (said(first), checkpoint.exists()) == ((-signal.SIGKILL, []), False)
    Path(f"{checkpoint}.new").unlink()
    Path(f"{checkpoint}.new").write_text('{"new": 1')  # torn, as by a full disk

    # The second tells of them, and dies in the insert of the next thousand, which waits for a key of ours.
    with transaction.atomic():
        UsageEventFactory.create(customer=acme, feature=feature, idempotency_key="k1700")
        second = run(deployment, file, "second")
        deployment.wait_until(_somebody_waits, "the insert", alive=[second])
        second.kill()
        transaction.set_rollback(True)
    assert (said(second), checkpoint.exists()) == ((-signal.SIGKILL, []), True)
    assert UsageEvent.objects.count() == 1000

    third = run(deployment, file, "third")
    assert said(third) == (
        0,
        [
            "Going on after line 1000, as usage.jsonl.checkpoint says.",
            "1,500 stored, 1,000 there already, 0 wrong.",
        ],
    )
    assert _stored() == {
        f"k{number}": ("acme", "api-calls", Decimal(number) + Decimal("0.5"), _at(number % 24, 30))
        for number in range(LINES)
    }
    assert list(DirtyHour.objects.order_by("hour").values_list("hour", flat=True)) == [_at(hour) for hour in range(24)]
    assert [one.name for one in deployment.directory.glob("usage*")] == ["usage.jsonl"]


def _somebody_waits() -> bool:
    with database.cursor() as cursor:
        # Within a transaction, such as ours, PostgreSQL goes on showing who was there when it was first asked.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def _stored() -> dict[str, tuple[str, str, Decimal, datetime]]:
    rows = UsageEvent.objects.values_list(
        "idempotency_key", "customer__ref_id", "feature__ref_id", "value", "occurred_at"
    )
    return {row[0]: row[1:] for row in rows}


def _at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)
