"""The demo's supervisor, run as a process of its own, because it is about processes that die."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.processes

# Two children, one with a child of its own that ignores what it is told; each holds an end of a connection to the test,
# so that the test learns of its end from the operating system.
CHILD = """
import signal, socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"x")
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""
PARENT = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {CHILD!r}, sys.argv[1], "stubborn"])
exec({CHILD!r})
"""
SUPERVISOR = f"""
import sys
from stigg_zuora.demo import processes
from stigg_zuora.demo.processes import Processes, Stopped
processes.GRACE_SECONDS = 1.0
try:
    with Processes(environment={{}}) as running:
        running.start("one", [sys.executable, "-c", {CHILD!r}, sys.argv[1]])
        running.start("two", [sys.executable, "-c", {PARENT!r}, sys.argv[1]])
        running.wait()
except Stopped:
    print("stopped")
"""


@pytest.fixture
def supervisor() -> Iterator[tuple["subprocess.Popen[str]", list[socket.socket]]]:
    """A supervisor, and the connections of its three descendants."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(30)
        process = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-c", SUPERVISOR, str(listener.getsockname()[1])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        connections = [listener.accept()[0] for _ in range(3)]
        for connection in connections:
            connection.settimeout(30)
            assert connection.recv(1) == b"x"
        yield process, connections
        process.kill()
        process.communicate()
        for connection in connections:
            connection.close()


def is_gone(connection: socket.socket) -> bool:
    """Wait until the other end is closed, which only its end does; a live one lets this time out."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_nothing_outlives_a_killed_supervisor(
    supervisor: tuple["subprocess.Popen[str]", list[socket.socket]],
) -> None:
    process, connections = supervisor

    process.kill()

    assert [is_gone(connection) for connection in connections] == [True, True, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_supervisor_ends_everything_first(
    supervisor: tuple["subprocess.Popen[str]", list[socket.socket]], number: signal.Signals
) -> None:
    process, connections = supervisor

    process.send_signal(number)
    said, _ = process.communicate(timeout=60)

    assert "stopped" in said
    assert [is_gone(connection) for connection in connections] == [True, True, True]


def demo(directory: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "stigg_zuora.demo", *arguments],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(directory), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("name", ["PORT", "ZUORA_STANDIN_PORT"])
def test_a_taken_port_is_a_sentence_that_names_the_variable(
    tmp_path: Path, name: str, free_port: Callable[[], int]
) -> None:
    ports = {"PORT": free_port(), "ZUORA_STANDIN_PORT": free_port()}
    with closing(socket.create_server(("127.0.0.1", ports[name]))):
        done = demo(tmp_path, **{variable: str(port) for variable, port in ports.items()})

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Port {ports[name]} cannot be used (Address already in use): choose another one with {name}, for example "
        f"`make demo {name}={ports[name] + 1}`.\n"
    )


def test_a_port_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    done = demo(tmp_path, PORT="eighty")

    assert (done.returncode, done.stderr) == (1, "PORT must be a port number, for example 8000; it is 'eighty'.\n")


def test_the_secrets_are_kept_and_for_nobody_else(tmp_path: Path) -> None:
    demo(tmp_path, PORT="eighty")
    first = (tmp_path / "demo-secrets").read_text()
    demo(tmp_path, PORT="eighty")

    assert (tmp_path / "demo-secrets").read_text() == first
    assert (tmp_path / "demo-secrets").stat().st_mode & 0o777 == 0o600
