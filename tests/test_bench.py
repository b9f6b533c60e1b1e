"""A benchmark that is stopped takes with it what it started: no server and no directory is left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60


def alive(place: Path) -> set[str]:
    """Return the processes that name a file in that directory."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        if f"{place}/" in line:
            found.add(line.split(maxsplit=1)[0].rpartition("/")[2])
    return found


def wait_for(place: Path, wanted: set[str]) -> None:
    """Wait until just these are there; a PostgreSQL at work has several processes of one name."""
    deadline = time.monotonic() + SECONDS
    while (found := alive(place)) != wanted:
        assert time.monotonic() < deadline, f"{found} instead of {wanted}"
        time.sleep(0.05)


@pytest.fixture
def place() -> Iterator[Path]:
    """Somewhere short, that another user can read: PostgreSQL may run as one."""
    with tempfile.TemporaryDirectory(prefix="sz-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can die with its parent")
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_benchmark_that_is_stopped_leaves_nothing_behind(place: Path, by: int) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.importing", "--customers", "100000"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(place)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(place, {"postgres", "redis-server"})
        bench.send_signal(by)
        assert bench.wait(SECONDS) != 0
        wait_for(place, set())
    finally:
        bench.kill()
        bench.wait()
    if by != signal.SIGKILL:
        assert list(place.iterdir()) == []
