"""Benchmarks: `python -m tests.bench`; prints tables and writes var/bench.json.

The initial push, the latencies and the hourly run of usage are those of real processes: PostgreSQL or SQLite, Redis,
workers, beat, the stand-in. Beside each stand the ideal (calls x latency / allowed concurrency) and a sequential script
over zuora-sdk, which makes a sample of the same objects and is extrapolated to the whole.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import importing, pages, rest, standin, usage_growth, usage_in, usage_meters
from tests.bench.report import (
    budgets_table,
    growth_table,
    hourly_table,
    import_table,
    pages_table,
    roads_table,
    standin_table,
    sync_table,
    usage_table,
)
from tests.bench.web import run_program, stop_in_order
from tests.servers import postgres, redis_server

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "var" / "bench.json"
SECRETS = {
    "SECRET_KEY": "made-up-for-the-benchmark-and-nothing-else-0123456789",
    "ENCRYPTION_KEYS": "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ=",
}


#: What is measured, in this order; the roads only when they are asked for.
PARTS = ("standin", "sync", "hourly", "roads", "rest", "pages", "usage", "growth", "meters", "importing")
DEFAULT_PARTS = tuple(part for part in PARTS if part != "roads")


def options_from(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only",
        type=_parts,
        default=DEFAULT_PARTS,
        metavar="PART,...",
        help=f"only these parts, of {', '.join(PARTS)}; else all but the roads, and without those whose number is 0",
    )
    parser.add_argument(
        "--plans",
        type=int,
        default=1_000,
        help="plans, each with 1 period and 1 charge; 0 leaves the push out (%(default)s)",
    )
    parser.add_argument(
        "--customers", type=int, default=10_000, help="customers, each with 1 subscription (%(default)s)"
    )
    parser.add_argument("--latency-ms", type=float, default=50, help="simulated latency of the tenant (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (%(default)s)")
    parser.add_argument("--threads", type=int, default=8, help="threads of each worker (%(default)s)")
    parser.add_argument(
        "--budget",
        type=int,
        default=10,
        help="calls at once that the tenant grants us, of either class: ZUORA_CONCURRENCY; a backfill may use 60 %% of "
        "them (%(default)s; Zuora's own limits are 40 and 200)",
    )
    parser.add_argument(
        "--budgets",
        default="5,20",
        help="other budgets with which a fifth of the plans and customers is pushed, separated by commas; empty for "
        "none (%(default)s)",
    )
    parser.add_argument("--idle", type=int, default=100, help="saves, one at a time (%(default)s)")
    parser.add_argument("--rate", type=int, default=50, help="saves a second (%(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="for so long (%(default)s)")
    parser.add_argument(
        "--sample", type=int, default=20, help="entities that the sequential script makes (%(default)s)"
    )
    parser.add_argument(
        "--database", choices=("postgresql", "sqlite", "both"), default="postgresql", help="(%(default)s)"
    )
    parser.add_argument(
        "--provisioned", type=int, default=1_000, help="customers, each with a subscription, by HTTP; 0 leaves them out"
    )
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="customers on the console's pages; 0 leaves them out (%(default)s)"
    )
    parser.add_argument(
        "--metered",
        type=int,
        default=10_000,
        help="subscriptions of the hourly run of usage, and of a tenth of them; 0 leaves it out (%(default)s)",
    )
    parser.add_argument(
        "--usage-budgets",
        default="2,3",
        help="ZUORA_CONCURRENCY in one hourly run after another, of which usage may use 90 %%: one call at once, and "
        "two, about as many as two cores drive with the stand-in's and the database's share of the work; files go with "
        "the last (%(default)s)",
    )
    parser.add_argument(
        "--file-rows",
        type=int,
        default=20_000,
        help="usage records that go by Actions, and then as many by file: the roads (%(default)s)",
    )
    parser.add_argument("--file-mishaps", action="store_true", help="and files whose way is broken: who is billed what")
    parser.add_argument(
        "--usage-rows",
        default="1000000",
        help="events that there are when an hour is closed, such as 1000000,10000000; empty for none (%(default)s)",
    )
    parser.add_argument(
        "--meter-events",
        type=int,
        default=100_000,
        help="raw events of one customer, counted over a billing period; 0: none (%(default)s)",
    )
    parser.add_argument(
        "--imported", type=int, default=2_000, help="customers that are imported from Stigg; 0: none (%(default)s)"
    )
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    if unknown := set(chosen) - set(PARTS):
        raise argparse.ArgumentTypeError(f"there is no part {', '.join(sorted(unknown))}: choose of {', '.join(PARTS)}")
    return chosen


def with_changes(options: argparse.Namespace, **changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**vars(options) | changes)


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'bench.sqlite3'}"
        return
    with postgres(directory / "postgres") as url:
        yield url


def measure(module: str, kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run a module of ours on one kind of database, in a process that is set up for it; return what it prints."""
    with tempfile.TemporaryDirectory(prefix="szb-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with database(kind, directory) as database_url, redis_server(directory / "redis") as redis_url:
            environment = {
                **os.environ,
                **SECRETS,
                "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "LOG_LEVEL": "WARNING",
                "TMPDIR": name,  # what it leaves there when it is stopped goes with the rest
                "ZUORA_CONCURRENCY": str(options.budget),
                "ZUORA_CONCURRENCY_HIGH_VOLUME": str(options.budget),
            }
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            measures = json.dumps(vars(options) | {"database_url": database_url, "redis_url": redis_url})
            found: dict[str, Any] = json.loads(run_program(environment, "-m", module, measures).splitlines()[-1])
            return found


def _kinds(options: argparse.Namespace) -> tuple[str, ...]:
    return ("postgresql", "sqlite") if options.database == "both" else (options.database,)


def _standin(_options: argparse.Namespace, results: dict[str, Any]) -> None:
    results["standin"] = [asdict(one) for one in standin.run()]
    print(standin_table(results["standin"]), flush=True)


def _sync(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if not options.plans:
        return
    for kind in _kinds(options):
        found = measure("tests.bench.sync", kind, with_changes(options, pushes_only=False))
        results["sync"].append(found)
        print(sync_table(found), flush=True)
        fewer = {"plans": max(1, options.plans // 5), "customers": max(1, options.customers // 5)}
        others = [
            measure("tests.bench.sync", kind, with_changes(options, pushes_only=True, budget=int(budget), **fewer))
            for budget in options.budgets.split(",")
            if budget
        ]
        results["budgets"] += others
        if others:
            print(budgets_table(others), flush=True)


def _hourly(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.metered:
        for kind in _kinds(options):
            for budget in (int(one) for one in options.usage_budgets.split(",")):
                found = measure("tests.bench.usage_hourly", kind, with_changes(options, budget=budget))
                results["hourly"].append(found)
                print(hourly_table(found), flush=True)


def _roads(options: argparse.Namespace, results: dict[str, Any]) -> None:
    for kind in _kinds(options):
        found = measure(
            "tests.bench.usage_roads", kind, with_changes(options, budget=int(options.usage_budgets.split(",")[-1]))
        )
        results["roads"].append(found)
        print(roads_table(found), flush=True)


def _rest(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.provisioned:
        provisioned = rest.run(count=options.provisioned)
        results["rest"] = [asdict(one) for one in provisioned]
        print(rest.rest_table(provisioned), flush=True)


def _pages(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.rows:
        results["pages"] = pages.run(customers=options.rows)
        print(pages_table(results["pages"]), flush=True)


def _usage(_options: argparse.Namespace, results: dict[str, Any]) -> None:
    results["usage"] = [asdict(one) for one in usage_in.run()]
    print(usage_table(results["usage"]), flush=True)


def _growth(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if sizes := [int(size) for size in options.usage_rows.split(",") if size]:
        results["growth"] = asdict(usage_growth.run(sizes=sizes))
        print(growth_table(results["growth"]), flush=True)


def _meters(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.meter_events:
        results["meters"] = usage_meters.run(events=options.meter_events, customers=(1000,))
        print(usage_meters.meters_table(results["meters"]), flush=True)


def _importing(options: argparse.Namespace, results: dict[str, Any]) -> None:
    if options.imported:
        results["importing"] = [asdict(one) for one in importing.run(customers=options.imported)]
        print(import_table(results["importing"]), flush=True)


_MEASURES: dict[str, Callable[[argparse.Namespace, dict[str, Any]], None]] = {
    "standin": _standin,
    "sync": _sync,
    "hourly": _hourly,
    "roads": _roads,
    "rest": _rest,
    "pages": _pages,
    "usage": _usage,
    "growth": _growth,
    "meters": _meters,
    "importing": _importing,
}


def main() -> None:
    options = options_from()
    stop_in_order()
    results: dict[str, Any] = {"options": vars(options), "sync": [], "budgets": [], "hourly": [], "roads": []}
    for part in PARTS:
        if part in options.only:
            started, used = time.monotonic(), sum(os.times()[:4])
            _MEASURES[part](options, results)
            took, spent = time.monotonic() - started, sum(os.times()[:4]) - used
            print(f"({part}: {took / 60:.1f} minutes, {spent / 60:.1f} of a processor's)\n", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Written to {RESULTS.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
