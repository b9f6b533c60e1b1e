"""Both roads of usage to Zuora, by Actions and by file, and a file's mishaps: each record must be billed once.

Started by `python -m tests.bench --only roads` with the database and the Redis to use in its environment; prints
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
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

django.setup()

from django.db import connection as database  # noqa: E402 - models can be imported only now

from integrations.tasks import usage_hourly  # noqa: E402
from tests.bench.usage_hourly import HOUR, HourlyRuns  # noqa: E402
from tests.bench.usage_rows import slice_up  # noqa: E402
from tests.processes.deployment import Deployment  # noqa: E402
from tests.processes.file_mishaps import MISHAPS, FileRoad  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.running import Running

_BY_FILE = {"ZUORA_USAGE_FILE_DATES": "MM/DD/YYYY", "ZUORA_USAGE_FILE_ALWAYS": "true"}
_IMPORT_SECONDS = 10


class Roads(HourlyRuns):
    """One deployment whose subscriptions use as much in every case."""

    def __init__(self, deployment: Deployment, options: argparse.Namespace) -> None:
        super().__init__(deployment, options)
        self.hours = -(-options.file_rows // options.metered)
        self.road = FileRoad(deployment, self._start_some)
        self._name, self._started, self._by_file = "", 0, True
        deployment.control("PUT", "switches", {"job_seconds": _IMPORT_SECONDS})

    def case(
        self,
        name: str,
        *,
        by_file: bool = True,
        before: Callable[[FileRoad], None] | None = None,
        mishap: Callable[[FileRoad], None] | None = None,
    ) -> dict[str, Any]:
        """Let new usage of every subscription go, and what breaks it come between; return what it took."""
        wanted = [self.hour - number * HOUR for number in range(1, self.hours + 1)]
        self.hour = wanted[-1]
        records = slice_up(wanted, now=datetime.now(UTC))
        self._name, self._by_file = re.sub(r"\W+", "-", name), by_file
        self.road.workers = first = self._start_some()
        self.deployment.control("DELETE", "requests")
        so_far, started = self._cpu_seconds(first), time.monotonic()
        if before:
            before(self.road)
        usage_hourly.apply_async(queue="usage")
        if mishap:
            mishap(self.road)
        self.road.until_quiet()
        seconds = time.monotonic() - started
        used = {
            who: one - (so_far[who] if self.road.workers is first or who != "workers" else 0)
            for who, one in self._cpu_seconds(self.road.workers).items()
        }
        for worker in self.road.workers:
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

    def _start_some(self) -> list[Running]:
        self._started += 1
        return self._start_workers(f"{self._name}-{self._started}", **(_BY_FILE if self._by_file else {}))


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
                roads.case(f"by file, {name}", before=before, mishap=mishap)
                for name, (before, mishap) in MISHAPS.items()
            ]
        found = {
            "database": database.vendor,
            "workers": options.workers,
            "threads": options.threads,
            "cores": os.cpu_count(),
            "cases": cases,
            "bill": roads.road.bill(),
        }
        json.dump(found, sys.stdout, default=str)


if __name__ == "__main__":
    main()
