"""What closing an hour costs when there are ten times as many events: `python -m tests.bench.usage_growth`.

One database is filled up to each size: events of a month, or of ten, up to the running hour, with the slices and the
records that they have become. The rows are put in by set, and the indexes built after; what is measured has all that
the migrations make. Beside the time stands what does not depend on how busy the machine is: statements, the pages of
PostgreSQL's that they touch, and the processor's time, PostgreSQL's included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.report import growth_table
from tests.bench.web import environment_of, run_program, stop_in_order
from tests.servers import postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROWS, _READ = "tests.bench.usage_growth_rows", "tests.bench.usage_growth_read"
SIZES = (1_000_000, 10_000_000)


@dataclass(frozen=True)
class Growth:
    """What each case cost at each size, and the plans by which an hour's events were read."""

    sizes: list[int]
    filled: dict[int, dict[str, Any]]
    cases: dict[int, dict[str, dict[str, float]]]
    plans: dict[int, str]


def run(*, sizes: Sequence[int], only: str = "") -> Growth:
    """Fill a database of its own up to each size, and measure every case there."""
    filled, cases, plans = {}, {}, {}
    with tempfile.TemporaryDirectory(prefix="szg-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        with postgres(directory / "postgres") as database_url:
            environment = environment_of(directory, database_url)
            run_program(environment, "manage.py", "migrate", "--verbosity=0")
            run_program(environment, "-m", _ROWS, "prepare")
            for size in sorted(sizes):
                filled[size] = json.loads(run_program(environment, "-m", _ROWS, "fill", size).splitlines()[-1])
                found = json.loads(run_program(environment, "-m", _READ, only).splitlines()[-1])
                cases[size], plans[size] = found["cases"], found["plan"]
    return Growth(sorted(sizes), filled, cases, plans)


def main() -> None:
    stop_in_order()
    parser = argparse.ArgumentParser(prog="python -m tests.bench.usage_growth", description=__doc__)
    parser.add_argument(
        "--rows", default=",".join(map(str, SIZES)), help="events that there are, separated by commas (%(default)s)"
    )
    parser.add_argument("--only", default="", help="only cases whose names hold this")
    parser.add_argument("--plans", action="store_true", help="print the plans by which an hour's events were read")
    options = parser.parse_args()
    found = asdict(run(sizes=[int(size) for size in options.rows.split(",") if size], only=options.only))
    print(growth_table(found))
    if options.plans:
        for size, plan in found["plans"].items():
            print(f"The events of an hour, of {size:,}:\n{plan}\n")
    print(json.dumps({name: part for name, part in found.items() if name != "plans"}))


if __name__ == "__main__":
    main()
