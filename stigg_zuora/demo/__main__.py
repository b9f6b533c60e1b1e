"""`python -m stigg_zuora.demo [--once | COMMAND ...]`."""

import os
import sys
from argparse import REMAINDER, ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import django
from django.core.management import execute_from_command_line

from stigg_zuora.demo.processes import Broken, Processes, Stopped
from stigg_zuora.demo.surroundings import (
    ROOT,
    Impossible,
    find_again,
    only_one,
    refuse_taken_ports,
    remember_ports,
    settle_in,
)


def main() -> int:
    """Run the demo; return 0 when it was stopped or, with --once, when Zuora holds exactly what it should."""
    parser = ArgumentParser(prog="python -m stigg_zuora.demo", description="Everything on this machine.")
    parser.add_argument("--once", action="store_true", help="push, read back, compare, and end")
    parser.add_argument("command", nargs=REMAINDER, help="a command of manage.py, for the demo that is or was here")
    asked = parser.parse_args()
    once: bool = asked.once
    try:
        directory = Path(os.environ.get("VAR_DIR") or ROOT / "var").resolve()
        if asked.command:
            return _manage(directory, asked.command)
        surroundings = settle_in(directory)
        with only_one(directory):
            refuse_taken_ports(surroundings)
            remember_ports(surroundings)
            os.environ.update(surroundings.environment)
            django.setup()
            # It imports models, which is possible only now.
            run = import_module("stigg_zuora.demo.run").run
            with Processes(environment=surroundings.environment) as processes:
                return int(run(processes, surroundings, once=once))
    except (Impossible, Broken) as trouble:
        print(trouble, file=sys.stderr)  # noqa: T201 - a command's answer
        return 1
    except Stopped:
        return 0


def _manage(directory: Path, command: Sequence[str]) -> int:
    """Run a command of manage.py with the demo's settings; what it ends with is its own."""
    os.environ.update(find_again(directory).environment)
    execute_from_command_line(["manage.py", *command])
    return 0


if __name__ == "__main__":
    sys.exit(main())
