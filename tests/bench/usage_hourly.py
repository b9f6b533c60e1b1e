"""Measures the hourly run of usage: one hour of many subscriptions, from the beat's task to Zuora's last answer.

Started by `python -m tests.bench` with the database and the Redis to use in its environment; prints JSON. The charge
numbers are known, as after the first hour, so a run makes one call for fifty subscriptions and no other.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 - models can be imported only now
from django.db import connection as database  # noqa: E402
from django.db.models import Max, Min  # noqa: E402

from integrations.models import BatchState, UsageBatch, UsageRecord, UsageState  # noqa: E402
from integrations.tasks import usage_hourly  # noqa: E402
from integrations.usage_delivery import CHUNK  # noqa: E402
from integrations.zuora.budget import Limits  # noqa: E402
from integrations.zuora.client.actions import MOST_OBJECTS  # noqa: E402
from integrations.zuora.leases import CallClass, Priority  # noqa: E402
from stigg_zuora import celery as program  # noqa: E402
from tests.bench.consumption import cpu_seconds, database_cpu_seconds, memory_mb  # noqa: E402
from tests.bench.peer import USAGE_PATH, Peer, Sent  # noqa: E402
from tests.bench.usage_rows import make_metered, use  # noqa: E402
from tests.processes.deployment import Deployment  # noqa: E402
from tests.processes.running import Running  # noqa: E402
from usage.models import DirtyHour  # noqa: E402

CREATE = "POST /v1/action/create"
HOUR = timedelta(hours=1)
_SECONDS = 1800.0
app: Any = program.app  # its types do not know the remote control


class HourlyRuns:
    """One deployment under measurement; nothing rings but the benchmark."""

    def __init__(self, deployment: Deployment, options: argparse.Namespace) -> None:
        self.deployment, self.options = deployment, options
        deployment.start_standin()
        deployment.connect()
        beat, workers = deployment.start_beat(), self._start_workers("first")
        make_metered(deployment, options.metered, now=datetime.now(UTC))
        for process in (beat, *workers):
            process.terminate()
        deployment.control("PUT", "switches", {"rate_limits": [10**9] * 3})
        deployment.fault("latency", path="^/v1/", seconds=options.latency_ms / 1000)
        self.hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def run(self, *, records: int) -> dict[str, Any]:
        """Let workers who have done nothing yet do the run of an hour in which so many subscriptions were used."""
        self.hour -= HOUR
        use(self.hour, most=records, now=datetime.now(UTC))
        _let_database_catch_up()
        workers = self._start_workers(f"of-{records}")
        self.deployment.control("DELETE", "requests")
        before = self._cpu_seconds(workers)
        started = datetime.now(UTC)
        usage_hourly.apply_async(queue="usage")
        batches = UsageBatch.objects.filter(sent_at__gte=started)
        self._until_sent(records, batches_of=started, workers=workers)
        used = {who: seconds - before[who] for who, seconds in self._cpu_seconds(workers).items()}
        memory = memory_mb(workers)
        for worker in workers:
            worker.terminate()
        found = batches.aggregate(first=Min("sent_at"), last=Max("finished_at"))
        calls = self._calls(records)
        seconds = (found["last"] - started).total_seconds()
        allowed = self._allowed(records)
        ideal = calls[CREATE] * self.options.latency_ms / 1000 / allowed["calls"]
        return {
            "records": records,
            "calls": calls,
            "seconds": round(seconds, 2),
            "seconds_to_first_call": round((found["first"] - started).total_seconds(), 2),
            "allowed_concurrency": allowed,
            "most_in_flight": self.deployment.control("GET", "counts")["mostInFlight"].get("all", 0),
            "ideal_seconds": round(ideal, 2),
            "share_of_ideal": round(ideal / seconds, 3),
            "cpu_ms_per_call": {who: round(one / calls[CREATE] * 1000, 2) for who, one in used.items()},
            "worker_mb": memory,
        }

    def peer(self, records: int) -> dict[str, Any]:
        """Send a sample of the last run's records once more, one to a call of zuora-sdk, and extrapolate."""
        logged = [one["body"]["objects"] for one in self.deployment.requests() if one["path"].endswith("/create")]
        bodies = [body for objects in logged for body in objects][: self.options.sample]
        peer = Peer(self.deployment.rest_url)
        calls, seconds = peer.repeat([Sent(USAGE_PATH, body, "") for body in bodies])
        peer.close()
        return {
            "sample_calls": calls,
            "calls_per_second": round(calls / seconds, 1),
            "extrapolated_seconds": round(seconds / calls * records, 1),
        }

    def _start_workers(self, name: str, **environment: str) -> list[Running]:
        settings = {"LOG_LEVEL": "WARNING", **environment}
        workers = [
            self.deployment.start_worker(f"{name}-{number}", threads=self.options.threads, **settings)
            for number in range(self.options.workers)
        ]
        self.deployment.wait_until(
            lambda: len(app.control.ping(timeout=0.5) or ()) == len(workers), "the workers", alive=workers
        )
        return workers

    def _until_sent(self, records: int, *, batches_of: datetime, workers: list[Running]) -> None:
        """Wait until Zuora has taken so many records in this run; one that it refuses ends the benchmark."""
        taken = UsageRecord.objects.filter(accepted_at__gte=batches_of)

        def done() -> bool:
            if refused := UsageRecord.objects.filter(state=UsageState.FAILED).first():
                raise RuntimeError(f"{refused} failed: {refused.reason}")
            return not DirtyHour.objects.exists() and taken.count() == records

        processes = [*workers, self.deployment.standin]
        self.deployment.wait_until(done, "the usage to be sent", seconds=_SECONDS, alive=processes, poll=0.5)
        if left := UsageBatch.objects.exclude(state=BatchState.DONE).count():
            raise RuntimeError(f"{left} calls are not done.")

    def _calls(self, records: int) -> dict[str, int]:
        """Return the calls by endpoint.

        Raises:
            RuntimeError: there were others than one for each fifty records.
        """
        counts = self.deployment.control("GET", "counts")["requests"]
        calls = {f"{one['method']} {one['template']}": one["count"] for one in counts}
        calls = {name: count for name, count in calls.items() if " /v1/" in name}
        wanted = {CREATE: math.ceil(records / MOST_OBJECTS)}
        if calls != wanted:
            raise RuntimeError(f"These calls were made: {calls}, not {wanted}.")
        return calls

    def _allowed(self, records: int) -> dict[str, Any]:
        """Return how many calls may be under way at once, and what says so."""
        limits = Limits(
            default=settings.ZUORA_CONCURRENCY,
            high_volume=settings.ZUORA_CONCURRENCY_HIGH_VOLUME,
            object_query=settings.ZUORA_CONCURRENCY_OBJECT_QUERY,
        )
        threads = self.options.threads * self.options.workers
        tasks = math.ceil(records / CHUNK)
        share = limits.ceiling(CallClass.DEFAULT, Priority.USAGE)
        calls, by = min(
            (share, f"usage's share of ZUORA_CONCURRENCY, {settings.ZUORA_CONCURRENCY}"),
            (threads, f"the workers' {threads} threads"),
            (tasks, f"the number of tasks, one for {CHUNK} subscriptions"),
        )
        return {"calls": calls, "by": by}

    def _cpu_seconds(self, workers: list[Running]) -> dict[str, float]:
        return {
            "workers": sum(cpu_seconds(worker.pid) for worker in workers),
            "database": database_cpu_seconds(),
            "stand-in": cpu_seconds(self.deployment.standin.pid),
        }


def _let_database_catch_up() -> None:
    """Do what autovacuum has done long before the next hour begins: else plans rest on empty tables."""
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE)")


def main() -> None:
    options = argparse.Namespace(**json.loads(sys.argv[1]))
    with (
        tempfile.TemporaryDirectory(prefix="szb-") as directory,
        Deployment(Path(directory), database_url=options.database_url, redis_url=options.redis_url) as deployment,
    ):
        runs = HourlyRuns(deployment, options)
        some = runs.run(records=max(1, options.metered // 10))
        peer = runs.peer(options.metered)
        found = {
            "database": database.vendor,
            "workers": options.workers,
            "threads": options.threads,
            "cores": os.cpu_count(),
            "runs": [some, runs.run(records=options.metered)],
            "peer": peer,
        }
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
