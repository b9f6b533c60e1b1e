"""Ends the demo's processes when the process that started them is gone without having done so (SIGKILL).

Run as a script, with a pipe as its standard input: `+123` names a process group to watch over, `-123` one that ended by
itself. The end of the pipe is the end of the process that wrote to it.
"""

import contextlib
import os
import signal
import sys
import time

GRACE_SECONDS = 5.0


def watch() -> None:
    """Read the pipe to its end, then end every group that is still named."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    deadline = time.monotonic() + GRACE_SECONDS
    _signal(groups, signal.SIGTERM)
    while groups and time.monotonic() < deadline:
        time.sleep(0.1)
        groups = {group for group in groups if _is_alive(group)}
    _signal(groups, signal.SIGKILL)


def _signal(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    watch()
