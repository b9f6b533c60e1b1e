"""`python -m tests.chaos_usage --seeds 5000`: random usage and random faults, seed by seed, on both cores."""

import argparse
import os
import sys

import pytest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--from", type=int, default=1000, dest="first", help="the first one")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    os.environ["CHAOS_SEEDS"], os.environ["CHAOS_FROM"] = str(options.seeds), str(options.first)
    return pytest.main(["tests/integrations/test_usage_property.py", "-q", "-n", str(options.workers), "--maxfail=3"])


if __name__ == "__main__":
    sys.exit(main())
