"""Starts processes, shows what they say as one prefixed stream, and ends all of them.

Not honcho, which starts everything at once (the web server must wait for the migrations), cannot tell when something
answers, and whose children outlive it when it is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stigg_zuora.demo import leash
from stigg_zuora.demo.surroundings import ROOT

GRACE_SECONDS = 10.0
START_SECONDS = 60.0
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Broken(Exception):  # noqa: N818 - a sentence for the person who typed the command
    """A process ended by itself, or does not answer."""


class Stopped(BaseException):
    """Somebody wants the demo to end: Ctrl-C, SIGTERM, or the terminal is gone."""


class Processes:
    """The demo's processes; leaving the `with` block ends them, the last one started first."""

    def __init__(self, *, environment: dict[str, str]) -> None:
        self._environment = environment
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._print = threading.Lock()
        self._starting = self._unwanted = False

    def __enter__(self) -> Self:
        for number in _ENDINGS:
            signal.signal(number, self._stop)
        self._leash = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-S", "-E", str(Path(leash.__file__))],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in _ENDINGS:
            signal.signal(number, signal.SIG_IGN)
        for name in reversed(self._running):
            self._end(name, self._running[name])
        assert self._leash.stdin is not None  # noqa: S101 - it was asked for
        self._leash.stdin.close()
        self._leash.wait()

    def start(self, name: str, command: Sequence[Any]) -> None:
        """Start a process in a group of its own, so that Ctrl-C reaches only us and everything ends in order."""
        self._starting = True  # a process that is not written down yet could not be ended
        process = subprocess.Popen(  # noqa: S603 - our own commands
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._tell_leash(f"+{process.pid}")
        self._running[name] = process
        self._starting = False
        if self._unwanted:
            raise Stopped
        threading.Thread(target=self._relay, args=(name, process), daemon=True).start()

    def until(self, what: str, answers: Callable[[], bool]) -> None:
        """Wait until something answers.

        Raises:
            Broken: it does not, or a process ended meanwhile.
        """
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise Broken(
                    f"After {START_SECONDS:.0f} seconds there is still no answer from {what}: see the log above."
                )
            time.sleep(0.05)

    def check(self) -> None:
        """Raise Broken when a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise Broken(f"The process {name} ended by itself (status {process.returncode}): see the log above.")

    def wait(self) -> None:
        """Wait until somebody stops us.

        Raises:
            Broken: a process ended by itself.
        """
        while True:
            self.check()
            time.sleep(0.2)

    def say(self, name: str, text: str) -> None:
        """Print lines of the stream."""
        with self._print:
            for line in text.splitlines():
                # The terminal may be gone while the last words are said.
                with contextlib.suppress(OSError, ValueError):
                    print(f"{name:>6} | {line}", flush=True)  # noqa: T201 - this is the log

    def _relay(self, name: str, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for line in process.stdout:
            self.say(name, line.rstrip("\n"))

    def _end(self, name: str, process: "subprocess.Popen[str]") -> None:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.say("demo", f"{name} does not end by itself: it is killed.")
        # What it started and left behind ends with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._tell_leash(f"-{process.pid}")

    def _tell_leash(self, line: str) -> None:
        assert self._leash.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(OSError):
            print(line, file=self._leash.stdin, flush=True)

    def _stop(self, _number: int, _frame: object) -> None:
        self._unwanted = True
        if not self._starting:
            raise Stopped
