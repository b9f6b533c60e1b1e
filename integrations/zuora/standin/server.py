"""A small HTTP/1.1 server for the stand-in: one process, a thread for each connection, keep-alive.

The usual servers turn an exception of the application into an answer. Here a `Cut` must close or reset the
connection instead, which is half of what a stand-in is for; that is why it has a server of its own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import selectors
import socket
import struct
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from integrations.zuora.standin.pipeline import Cut

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn

logger = logging.getLogger("zuora.standin")
LARGEST_HEAD = 65_536
LARGEST_BODY = 64 * 1024 * 1024
MOST_CONNECTIONS = 1_000
IDLE_SECONDS = 120.0
STOP_SECONDS = 3.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class BadRequestError(Exception):
    """What came is not HTTP, or too much of it; the status says which."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """Serves one stand-in until `stop` is called.

    Raises:
        OSError: the address cannot be bound.
    """

    def __init__(self, app: StandIn, host: str, port: int) -> None:
        self.app = app
        self._listener = socket.create_server((host, port), backlog=512, reuse_port=False)
        self.host, self.port = self._listener.getsockname()[:2]
        self._stopping = threading.Event()
        self._wake, self._woken = socket.socketpair()
        self._lock = threading.Lock()
        self._idle: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def serve(self) -> None:
        """Take connections until `stop`; then let the answers under way out, and return."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                if not self._stopping.is_set():
                    self._accept()
        self._listener.close()
        self._finish()

    def stop(self) -> None:
        """End `serve`; safe in a signal handler and from any thread."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _accept(self) -> None:
        try:
            connection, address = self._listener.accept()
        except OSError:
            return
        if len(self._threads) >= MOST_CONNECTIONS:
            connection.close()
            return
        thread = threading.Thread(target=self._converse, args=(connection, address), daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _finish(self) -> None:
        with self._lock:
            for connection in self._idle:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(STOP_SECONDS / max(len(threads), 1) + 0.1)
        self._wake.close()
        self._woken.close()

    def _converse(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(IDLE_SECONDS)
        try:
            with connection, _reader(connection) as stream:
                while not self._stopping.is_set() and self._exchange(connection, stream, address):
                    pass
        except (OSError, ValueError):
            logger.debug("A client went away", exc_info=True)
        except Exception:
            logger.exception("A connection failed")
        finally:
            with self._lock:
                self._idle.discard(connection)
                self._threads.discard(threading.current_thread())

    def _exchange(self, connection: socket.socket, stream: IO[bytes], address: tuple[Any, ...]) -> bool:
        """One request and its answer; whether the connection goes on."""
        with self._lock:
            self._idle.add(connection)
        line = stream.readline(LARGEST_HEAD)
        with self._lock:
            self._idle.discard(connection)
        if not line:
            return False
        try:
            environ, keep_alive = self._read(connection, stream, line, address)
        except BadRequestError as bad:
            connection.sendall(_plain_answer(bad.status, str(bad)))
            return False
        try:
            connection.sendall(self._answer(environ, keep_alive=keep_alive))
        except Cut as cut:
            if cut.abrupt:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            return False
        return keep_alive

    def _answer(self, environ: dict[str, Any], *, keep_alive: bool) -> bytes:
        head: list[str] = []

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            head.append(f"HTTP/1.1 {status}\r\n")
            head.extend(f"{name}: {value}\r\n" for name, value in headers)

        body = b"".join(self.app(environ, start_response))
        head.append("Connection: keep-alive\r\n\r\n" if keep_alive else "Connection: close\r\n\r\n")
        return "".join(head).encode("latin-1") + (b"" if environ["REQUEST_METHOD"] == "HEAD" else body)

    def _read(
        self, connection: socket.socket, stream: IO[bytes], line: bytes, address: tuple[Any, ...]
    ) -> tuple[dict[str, Any], bool]:
        parts = line.decode("latin-1").split()
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
            raise BadRequestError(400, "The request line is malformed.")
        method, target, version = parts
        headers = _read_headers(stream)
        if headers.get("HTTP_EXPECT", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _read_body(stream, headers)
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            **headers,
            "REQUEST_METHOD": method,
            "RAW_URI": path,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "SERVER_NAME": self.host,
            "SERVER_PORT": str(self.port),
            "REMOTE_ADDR": address[0],
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": headers.get("HTTP_CONTENT_TYPE", ""),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "standin.sleep": self._stopping.wait,
        }
        wish = headers.get("HTTP_CONNECTION", "").lower()
        return environ, wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"


def _reader(connection: socket.socket) -> IO[bytes]:
    return cast("IO[bytes]", connection.makefile("rb", 65_536))


def _read_headers(stream: IO[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    while True:
        line = stream.readline(LARGEST_HEAD)
        size += len(line)
        if not line or size > LARGEST_HEAD:
            raise BadRequestError(431 if line else 400, "The request's headers are too large or cut short.")
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequestError(400, "A header of the request is malformed.")
        headers["HTTP_" + name.strip().upper().replace("-", "_")] = value.strip()


def _read_body(stream: IO[bytes], headers: dict[str, str]) -> bytes:
    if headers.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
        return _read_chunks(stream)
    text = headers.get("HTTP_CONTENT_LENGTH", "0")
    if not (text.isascii() and text.isdigit()):
        raise BadRequestError(400, "Content-Length is malformed.")
    return _exactly(stream, int(text), LARGEST_BODY)


def _read_chunks(stream: IO[bytes]) -> bytes:
    chunks = bytearray()
    while True:
        try:
            size = int(stream.readline(1024).split(b";")[0], 16)
        except ValueError as wrong:
            raise BadRequestError(400, "A chunk of the request is malformed.") from wrong
        if size == 0:
            while stream.readline(LARGEST_HEAD) not in (b"\r\n", b"\n", b""):
                pass
            return bytes(chunks)
        chunks += _exactly(stream, size, LARGEST_BODY - len(chunks))
        stream.readline(16)


def _exactly(stream: IO[bytes], size: int, largest: int) -> bytes:
    if not 0 <= size <= largest:
        raise BadRequestError(413, "The request body is too large.")
    body = stream.read(size)
    if len(body) < size:
        raise BadRequestError(400, "The request body is cut short.")
    return body


def _plain_answer(status: int, message: str) -> bytes:
    body = message.encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
