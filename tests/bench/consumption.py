"""What processes use: processor time and memory, as Linux tells it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import connection as database

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.processes.running import Running


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """Return the processor time that a process has used, with that of its children that have ended."""
    fields = _stat(pid)
    return sum(int(field) for field in fields[11 : 15 if with_children else 13]) / os.sysconf("SC_CLK_TCK")


def database_cpu_seconds() -> float:
    """Return the processor time of PostgreSQL's processes; SQLite has none of its own."""
    if database.vendor != "postgresql":
        return 0.0
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return family_cpu_seconds(int(_stat(cursor.fetchone()[0])[1]))


def family_cpu_seconds(pid: int) -> float:
    """Return the processor time of a server and of its processes, also of those that have ended."""
    used = cpu_seconds(pid, with_children=True)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(_stat(int(process.name))[1]) == pid:
                used += cpu_seconds(int(process.name))
    return used


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def memory_mb(workers: Iterable[Running]) -> dict[str, float]:
    """Return what the largest worker holds now, and the most that one has ever held."""
    statuses = [Path(f"/proc/{worker.pid}/status").read_text() for worker in workers]
    lines = [line.split() for status in statuses for line in status.splitlines()]
    return {
        when: max(round(int(line[1]) / 1024, 1) for line in lines if line[:1] == [name])
        for when, name in (("now", "VmRSS:"), ("peak", "VmHWM:"))
    }
