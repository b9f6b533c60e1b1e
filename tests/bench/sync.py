"""Measures one deployment: how fast a save arrives, how fast a whole tenant is filled, how much memory that takes.

Started by `python -m tests.bench` with the database and the Redis to use in its environment; prints JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 - models can be imported only now
from django.db import connection as database  # noqa: E402
from django.db import transaction  # noqa: E402
from django.db.models import Count  # noqa: E402
from django.utils import timezone  # noqa: E402

from catalog.models import Plan  # noqa: E402
from integrations import operating  # noqa: E402
from integrations.models import Connection, Delivery, JobState, Operation, SyncJob  # noqa: E402
from integrations.zuora.budget import Limits  # noqa: E402
from integrations.zuora.leases import CallClass  # noqa: E402
from integrations.zuora.leases import Priority as Share  # noqa: E402
from stigg_zuora import celery as program  # noqa: E402
from tests.bench.consumption import cpu_seconds, database_cpu_seconds, memory_mb  # noqa: E402
from tests.bench.peer import CUSTOMER_PATHS, PLAN_PATHS, Peer, creates  # noqa: E402
from tests.bench.stock import make_customers, make_plans  # noqa: E402
from tests.processes.deployment import Deployment  # noqa: E402

PATIENCE_SECONDS = 3600.0
app: Any = program.app  # its types do not know the remote control


class Bench:
    """One deployment under measurement."""

    def __init__(self, deployment: Deployment, options: argparse.Namespace) -> None:
        self.deployment = deployment
        self.options = options
        self.beat = deployment.start_beat()
        self.standin = deployment.start_standin()
        # The stand-in's own limits stay: 40 calls of the default class at once, 200 for accounts and orders.
        deployment.control("PUT", "switches", {"rate_limits": [10**9] * 3})
        self.connection: Connection = deployment.connect()
        self.workers = [
            deployment.start_worker(f"worker-{number}", threads=options.threads, LOG_LEVEL="WARNING")
            for number in range(options.workers)
        ]
        deployment.wait_until(
            lambda: len(app.control.ping(timeout=0.5) or ()) == options.workers, "the workers", alive=self.workers
        )

    def until_done(self, *, poll: float = 0.1) -> None:
        """Wait until every job is done; one that failed ends the benchmark."""

        def done() -> bool:
            if Operation.objects.open().exists() or SyncJob.objects.open().exists():
                return False
            if failed := SyncJob.objects.filter(state=JobState.FAILED).first():
                raise RuntimeError(f"{failed.key} failed: {failed.reason}")
            return True

        processes = [*self.workers, self.beat, self.standin]
        self.deployment.wait_until(done, "every job to be done", seconds=PATIENCE_SECONDS, alive=processes, poll=poll)

    def allowed(self, call_class: CallClass) -> dict[str, Any]:
        """Return how many calls of a backfill may be under way at once, and what says so."""
        limits = Limits(
            default=settings.ZUORA_CONCURRENCY,
            high_volume=settings.ZUORA_CONCURRENCY_HIGH_VOLUME,
            object_query=settings.ZUORA_CONCURRENCY_OBJECT_QUERY,
        )
        share = limits.ceiling(call_class, Share.BACKFILL)
        threads = self.options.threads * self.options.workers
        by = f"a backfill's share of the {self.options.budget} that the tenant is set to grant (ZUORA_CONCURRENCY)"
        return {"calls": min(share, threads), "by": by if share < threads else f"the workers' {threads} threads"}

    def push(
        self, make: Callable[[int], None], count: int, *, paths: tuple[str, ...], call_class: CallClass
    ) -> dict[str, Any]:
        """Make rows, push everything, and compare with the ideal: calls x latency / allowed concurrency."""
        make(count)
        Delivery.objects.all().delete()
        before = self.cpu_seconds()
        self.deployment.control("DELETE", "requests")
        started = time.perf_counter()
        operating.sync_everything(actor=None, now=timezone.now())
        self.until_done()
        seconds = time.perf_counter() - started
        counts = self.deployment.control("GET", "counts")
        calls = sum(one["count"] for one in counts["requests"] if one["template"].startswith("/v1/"))
        if calls != count * len(paths):
            raise RuntimeError(f"{calls} calls were made, not {count * len(paths)}: {counts['requests']}")
        allowed = self.allowed(call_class)
        ideal = calls * self.options.latency_ms / 1000 / allowed["calls"]
        return {
            "entities": count,
            "calls": calls,
            "seconds": round(seconds, 2),
            "calls_per_second": round(calls / seconds, 1),
            "allowed_concurrency": allowed,
            "deliveries": dict(Delivery.objects.values_list("outcome").annotate(Count("pk")).order_by("outcome")),
            "most_in_flight": counts["mostInFlight"].get("all", 0),
            "ideal_seconds": round(ideal, 2),
            "share_of_ideal": round(ideal / seconds, 3),
            "cpu_ms_per_call": {
                who: round((used - before[who]) / calls * 1000, 2) for who, used in self.cpu_seconds().items()
            },
            "peer": self.peer(paths, count),
        }

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor time that each part of the deployment has used."""
        return {
            "workers": sum(cpu_seconds(worker.pid) for worker in self.workers),
            "database": database_cpu_seconds(),
            "stand-in": cpu_seconds(self.standin.pid),
        }

    def peer(self, paths: tuple[str, ...], count: int) -> dict[str, Any]:
        """Repeat a sample of the last push by a sequential script over zuora-sdk, and extrapolate to the whole."""
        sent = creates(self.deployment.requests(), paths, entities=self.options.sample)
        peer = Peer(self.deployment.rest_url)
        calls, seconds = peer.repeat(sent)
        peer.close()
        return {
            "sample_calls": calls,
            "calls_per_second": round(calls / seconds, 1),
            "extrapolated_seconds": round(seconds / calls * len(paths) * count, 1),
        }

    def latency_idle(self, count: int) -> dict[str, Any]:
        """Save one plan after the other, each when the one before has arrived."""

        def save_each(plans: list[Plan]) -> dict[str, float]:
            saved = {}
            for plan in plans:
                saved[plan.display_name] = save(plan)
                self.until_done(poll=0.01)
            return saved

        return self._latency(count, save_each)

    def latency_busy(self, rate: int, seconds: int) -> dict[str, Any]:
        """Save plans at a steady rate, whatever becomes of them."""

        def save_at_rate(plans: list[Plan]) -> dict[str, float]:
            saved = {}
            started = time.perf_counter()
            for number, plan in enumerate(plans):
                time.sleep(max(0.0, started + number / rate - time.perf_counter()))
                saved[plan.display_name] = save(plan)
            self.saved_per_second = round(len(plans) / (time.perf_counter() - started), 1)
            self.until_done()
            return saved

        found = self._latency(rate * seconds, save_at_rate)
        return {"saves_per_second": self.saved_per_second, **found}

    def _latency(self, count: int, save_all: Callable[[list[Plan]], dict[str, float]]) -> dict[str, Any]:
        plans = list(Plan.objects.order_by("pk")[:count])
        stamp = uuid.uuid4().hex[:8]
        for number, plan in enumerate(plans):
            plan.display_name = f"Renamed {stamp} {number}"
        self.deployment.control("DELETE", "requests")
        saved = save_all(plans)
        arrived = {
            one["body"]["Name"]: datetime.fromisoformat(one["at"]).timestamp()
            for one in self.deployment.requests()
            if one["method"] == "PUT" and one["status"] == 200
        }
        took = sorted(arrived[name] - at for name, at in saved.items())
        return {
            "saves": len(took),
            **{
                f"p{share}_ms": round(took[min(len(took) - 1, len(took) * share // 100)] * 1000)
                for share in (50, 95, 99)
            },
            "settle_window_ms": round(settings.SYNC_SETTLE_SECONDS * 1000),
        }


def save(plan: Plan) -> float:
    """Save as a request does, in a transaction, and return when it was committed."""
    committed: list[float] = []
    with transaction.atomic():
        transaction.on_commit(lambda: committed.append(time.time()))
        plan.save()
    return committed[0]


def measure(bench: Bench) -> dict[str, Any]:
    """Fill the tenant, then change it: what `python -m tests.bench` shows."""
    options = bench.options
    bench.deployment.fault("latency", path="^/v1/", seconds=options.latency_ms / 1000)
    plans = bench.push(make_plans, options.plans, paths=PLAN_PATHS, call_class=CallClass.DEFAULT)
    customers = bench.push(make_customers, options.customers, paths=CUSTOMER_PATHS, call_class=CallClass.HIGH_VOLUME)
    found = {
        "database": database.vendor,
        "workers": options.workers,
        "threads": options.threads,
        "cores": os.cpu_count(),
        "plans": plans,
        "customers": customers,
        "worker_mb": memory_mb(bench.workers),
    }
    if not options.pushes_only:
        bench.deployment.control("DELETE", "faults")
        found["latency_idle"] = bench.latency_idle(min(options.idle, options.plans))
        found["latency_busy"] = bench.latency_busy(options.rate, min(options.seconds, options.plans // options.rate))
    return found


def main() -> None:
    options = argparse.Namespace(**json.loads(sys.argv[1]))
    with (
        tempfile.TemporaryDirectory(prefix="szb-") as directory,
        Deployment(Path(directory), database_url=options.database_url, redis_url=options.redis_url) as deployment,
    ):
        json.dump(measure(Bench(deployment, options)), sys.stdout)


if __name__ == "__main__":
    main()
