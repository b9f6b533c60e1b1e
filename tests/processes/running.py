"""A process that a test started: whether it lives, its last words, its end; and a port for it."""

import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 15.0
_TAIL_LINES = 40


@dataclass
class Running:
    """A process that we started, with its log."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """SIGKILL: it gets no chance to tidy up."""
        self.popen.kill()
        self.popen.wait()

    def terminate(self) -> int:
        """SIGTERM, and wait; return the exit status, negative when it had to be killed."""
        self.popen.terminate()
        try:
            return self.popen.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.popen.returncode

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"--- {self.name} ({'running' if self.is_alive else self.popen.returncode})", *lines])


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
