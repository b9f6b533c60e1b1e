import socket
from collections.abc import Callable
from contextlib import closing

import pytest


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that finds a port which nobody listens on."""

    def find() -> int:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            return int(listener.getsockname()[1])

    return find
