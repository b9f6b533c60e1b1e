"""Takes the pictures: see `tests.browser.pictures`, which may be imported only once the tests' servers are there."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    wanted = ["-k", " or ".join(sys.argv[1:])] if sys.argv[1:] else []
    raise SystemExit(pytest.main([str(Path(__file__).with_name("pictures.py")), *wanted]))
