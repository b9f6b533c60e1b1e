"""Both roads of usage to Zuora, by Actions and by file, and a file's mishaps: each record must be billed once.

Started by `python -m tests.bench --file-rows 20000` with the database and the Redis to use in its environment; prints
JSON. Each case is new slices of the same subscriptions, from the beat's task until Zuora has shown every record; what
they go through are real processes: workers, the stand-in, PostgreSQL, Redis. At the end the stand-in bills, and what it
bills of each subscription is compared with what was used.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

django.setup()

from django.db import connection as database  # noqa: E402 - models can be imported only now

from integrations.models import BatchState, UsageBatch, UsageCharge, UsageRecord, UsageState  # noqa: E402
from integrations.tasks import usage_hourly, usage_sweep  # noqa: E402
from integrations.usage_sync import retry  # noqa: E402
from tests.bench.usage_hourly import HOUR, HourlyRuns  # noqa: E402
from tests.bench.usage_rows import slice_up  # noqa: E402
from tests.processes.deployment import Deployment, Running  # noqa: E402
from usage.models import Slice  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SECONDS = 1800.0
_BY_FILE = {"ZUORA_USAGE_FILE_DATES": "MM/DD/YYYY", "ZUORA_USAGE_FILE_ALWAYS": "true", "SYNC_CLAIM_SECONDS": "600"}
_IMPORT_SECONDS = 10
_SWEEP_SECONDS = 5


class Roads(HourlyRuns):
    """One deployment whose subscriptions use as much in every case."""

    def __init__(self, deployment: Deployment, options: argparse.Namespace) -> None:
        super().__init__(deployment, options)
        self.hours = -(-options.file_rows // options.metered)
        deployment.control("PUT", "switches", {"job_seconds": _IMPORT_SECONDS})

    def case(
        self,
        name: str,
        *,
        by_file: bool = True,
        fault: Mapping[str, Any] | None = None,
        mishap: Callable[[], None] | None = None,
    ) -> dict[str, Any]:
        """Let new usage of every subscription go, and what breaks it come between; return what it took."""
        wanted = [self.hour - number * HOUR for number in range(1, self.hours + 1)]
        self.hour = wanted[-1]
        records = slice_up(wanted, now=datetime.now(UTC))
        self.workers = self._start_workers(re.sub(r"\W+", "-", name), **(_BY_FILE if by_file else {}))
        self.deployment.control("DELETE", "requests")
        if fault:
            self.deployment.fault(method="POST", path="^/v1/usage$", **fault)
        before, started = self._cpu_seconds(self.workers), time.monotonic()
        usage_hourly.apply_async(queue="usage")
        if mishap:
            mishap()
        self.until(self._is_quiet, "everything to be shown")
        seconds = time.monotonic() - started
        used = {who: one - before[who] for who, one in self._cpu_seconds(self.workers).items()}
        for worker in self.workers:
            worker.terminate()
        counts = self.deployment.control("GET", "counts")["requests"]
        calls = {f"{one['method']} {one['template']}": one["count"] for one in counts if "/v1/" in one["template"]}
        return {
            "case": name,
            "records": records,
            "calls": calls,
            "seconds": round(seconds, 1),
            "cpu_seconds": {who: round(one, 1) for who, one in used.items()},
        }

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait, and sweep meanwhile, as the beat does."""

        def reached() -> bool:
            usage_sweep.apply_async(queue="usage", expires=_SWEEP_SECONDS)
            return bool(condition())

        processes: list[Running] = [*self.workers, self.deployment.standin]
        self.deployment.wait_until(reached, what, seconds=_SECONDS, alive=processes, poll=_SWEEP_SECONDS)

    @staticmethod
    def _is_quiet() -> bool:
        if refused := UsageRecord.objects.filter(state=UsageState.FAILED).first():
            raise RuntimeError(f"{refused} failed: {refused.reason}")
        return not (
            Slice.objects.untaken().exists()
            or UsageRecord.objects.exclude(state=UsageState.CONFIRMED).exists()
            or UsageBatch.objects.exclude(state=BatchState.DONE).exists()
        )

    # --- Mishaps ------------------------------------------------------------------------------------------------------
    def kill_while_it_imports(self) -> None:
        """Every worker dies while Zuora imports the file."""
        running = UsageBatch.objects.exclude(import_id="").exclude(state=BatchState.DONE)
        self.until(running.exists, "the import to begin")
        self._die()

    def kill_while_it_uploads(self) -> None:
        """Every worker dies while the file is on its way, which Zuora takes."""
        leaving = UsageBatch.objects.filter(state=BatchState.SENDING, sent_at__isnull=False, import_id="")
        self.until(leaving.exists, "the file to leave")
        self._die()

    def fail_the_import(self) -> None:
        """One row is wrong: Zuora imports none, and every record goes by Actions but that one, until it is mended."""
        failed = UsageRecord.objects.filter(state=UsageState.FAILED)
        others = UsageRecord.objects.exclude(state__in=[UsageState.FAILED, UsageState.CONFIRMED])
        self.until(lambda: failed.exists() and not others.exists(), "all but the wrong row")
        UsageCharge.objects.filter(unit="Furlongs").update(unit=UsageCharge.objects.exclude(unit="Furlongs")[0].unit)
        retry(records=list(failed.values_list("pk", flat=True)), actor=None, now=datetime.now(UTC))

    def _die(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers = self._start_workers(f"after-{self.workers[0].name}", **_BY_FILE)

    # --- The bill -----------------------------------------------------------------------------------------------------
    def bill(self, records: int) -> dict[str, Any]:
        """Let the stand-in bill, and compare; raises RuntimeError when anything is billed twice, or not."""
        keys = Counter(row["Description"] for row in self.deployment.rows("Usage"))
        due = (datetime.now(UTC) + timedelta(days=62)).date().isoformat()
        self.deployment.control("POST", "bill-run", {"date": due})
        billed = defaultdict[str, Decimal](Decimal)
        for item in self.deployment.rows("InvoiceItem"):
            if item.get("Usage"):
                billed[item["SubscriptionNumber"]] += Decimal(str(item["Quantity"]))
        wanted = defaultdict[str, Decimal](Decimal)
        for number, quantity in UsageRecord.objects.values_list("charge__subscription__ref_id", "slice__quantity"):
            wanted[f"stigg--{number}"] += quantity
        if billed != wanted or set(keys.values()) != {1} or len(keys) != UsageRecord.objects.count():
            wrong = {number for number in {**billed, **wanted} if billed[number] != wanted[number]}
            raise RuntimeError(f"{len(wrong)} subscriptions are billed wrongly, for example {sorted(wrong)[:3]}.")
        return {"records": records, "subscriptions": len(billed), "billed": str(sum(billed.values()))}


def main() -> None:
    options = argparse.Namespace(**json.loads(sys.argv[1]))
    with (
        tempfile.TemporaryDirectory(prefix="szb-") as directory,
        Deployment(Path(directory), database_url=options.database_url, redis_url=options.redis_url) as deployment,
    ):
        roads = Roads(deployment, options)
        cases = [roads.case("by Actions", by_file=False), roads.case("by file")]
        if options.file_mishaps:
            cases += [
                roads.case("by file, its answer lost twice", fault={"kind": "drop", "times": 2}),
                roads.case(
                    "by file, killed while it uploads",
                    fault={"kind": "delay", "times": 1, "seconds": 5},
                    mishap=roads.kill_while_it_uploads,
                ),
                roads.case("by file, killed while it imports", mishap=roads.kill_while_it_imports),
            ]
            UsageCharge.objects.filter(pk=UsageCharge.objects.order_by("-pk")[0].pk).update(unit="Furlongs")
            cases.append(roads.case("by file, its import failed", mishap=roads.fail_the_import))
        found = {
            "database": database.vendor,
            "workers": options.workers,
            "threads": options.threads,
            "cores": os.cpu_count(),
            "cases": cases,
            "bill": roads.bill(sum(one["records"] for one in cases)),
        }
        json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
