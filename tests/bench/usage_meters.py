"""What closing one more hour costs of meters over a billing period: `python -m tests.bench.usage_meters`.

One customer with many raw events in one period, counted by UNIQUE, AVG, MIN and MAX, each with and without filters;
and many customers with a few events each. Beside the time stand the statements, and how far the process's memory grew.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import table
from tests.bench.web import environment_of, run_program, stop_in_order
from tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Mapping

_READ = "tests.bench.usage_meters_read"
EVENTS, CUSTOMERS = 1_000_000, (1_000, 10_000)


def run(*, events: int = EVENTS, customers: tuple[int, ...] = CUSTOMERS) -> dict[str, Any]:
    """Fill a database of its own, and measure every case there."""
    found: dict[str, Any] = {"events": events, "cases": {}}
    with tempfile.TemporaryDirectory(prefix="szm-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url:
            environment = environment_of(directory, database_url)
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            arguments = json.dumps({"events": events, "customers": customers})
            found["cases"] = json.loads(run_program(environment, "-m", _READ, arguments).splitlines()[-1])
    return found


def meters_table(found: Mapping[str, Any]) -> str:
    """Return what each case costs."""
    head = [f"Meters over a period, of {found['events']:,} events", "hours", "statements", "seconds", "MB more"]
    names = ("hours", "statements", "seconds", "mb")
    return table(head, ([case, *(one[name] for name in names)] for case, one in found["cases"].items())) + "\n"


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.usage_meters", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help="of the one customer; 0: none (%(default)s)")
    parser.add_argument(
        "--customers", default=",".join(map(str, CUSTOMERS)), help="how many have few events each (%(default)s)"
    )
    options = parser.parse_args()
    customers = tuple(int(one) for one in options.customers.split(",") if one)
    found = run(events=options.events, customers=customers)
    print(meters_table(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
