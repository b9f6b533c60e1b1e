"""The wire against real sockets: what is known when an answer stays away."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from integrations.zuora.answers import Answer
from integrations.zuora.client import wire
from integrations.zuora.client.wire import Exchange, Timeouts, Wire, new_session
from integrations.zuora.errors import NoAnswer, Outcome, Scope, UnexpectedAnswer

Behaviour = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"


@contextmanager
def serving(behave: Behaviour) -> Iterator[str]:
    """Accept one connection, read one small request, behave; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def post(url: str, *, read: float = 10.0, timer: Callable[[], float] = lambda: 0.0) -> tuple[Answer, list[Exchange]]:
    kept: list[Exchange] = []
    timeouts = Timeouts(connect=10.0, read=read, whole=150.0)
    with new_session() as session:
        it = Wire(session, timeouts=timeouts, on_exchange=kept.append, timer=timer)
        return it.send(requests.Request("POST", f"{url}/v1/orders", data=b"{}").prepare(), lambda answer: answer), kept


def test_an_answer_comes_back_whole_with_its_status_and_headers() -> None:
    with serving(lambda connection: connection.sendall(HEAD.replace(b"100", b"2") + b"{}")) as url:
        answer, kept = post(url)

    assert (answer.status, answer.header("content-length"), answer.text) == (200, "2", "{}")
    assert [exchange.status for exchange in kept] == [200]


@pytest.mark.parametrize(
    "behave",
    [
        lambda _: None,
        lambda connection: connection.sendall(HEAD + b"{"),
        lambda connection: connection.sendall(b"not HTTP at all\r\n\r\n"),
        lambda connection: connection.sendall(
            HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + b"x" * 100
        ),
    ],
    ids=["closed", "cut", "not HTTP", "not gzip"],
)
def test_an_answer_that_breaks_off_is_an_open_outcome(behave: Behaviour) -> None:
    with serving(behave) as url, pytest.raises(NoAnswer) as caught:
        post(url)

    assert (caught.value.outcome, caught.value.scope) == (Outcome.UNKNOWN, Scope.ENTITY)


@pytest.mark.parametrize("begun", [b"", HEAD + b"{"], ids=["no answer", "half an answer"])
def test_an_answer_that_takes_too_long_is_an_open_outcome(begun: bytes) -> None:
    over = threading.Event()

    def stall(connection: socket.socket) -> None:
        connection.sendall(begun)
        over.wait()

    with serving(stall) as url:
        try:
            with pytest.raises(NoAnswer) as caught:
                post(url, read=0.05)
        finally:
            over.set()

    assert caught.value.outcome is Outcome.UNKNOWN


def test_an_answer_that_trickles_is_given_up_after_the_whole_time() -> None:
    ticks = iter([0.0, 151.0, 151.0])
    with serving(lambda connection: connection.sendall(HEAD + b"x" * 100)) as url, pytest.raises(NoAnswer) as caught:
        post(url, timer=lambda: next(ticks))

    assert caught.value.outcome is Outcome.UNKNOWN
    assert "longer than 150 seconds" in str(caught.value)


@contextmanager
def held(told: list[str]) -> Iterator[None]:
    told.append("taken")
    try:
        yield
    finally:
        told.append("given back")


def test_a_slot_is_given_back_once_the_answer_was_heeded_and_before_it_is_judged() -> None:
    told = list[str]()
    with serving(lambda connection: connection.sendall(HEAD.replace(b"100", b"2") + b"{}")) as url:
        it = Wire(new_session(), timeouts=Timeouts(), on_exchange=lambda _: told.append("recorded"))
        it.send(
            requests.Request("POST", url, data=b"{}").prepare(),
            lambda _: told.append("judged"),
            slot=held(told),
            heed=lambda _: told.append("heeded"),
        )
    assert told == ["taken", "heeded", "given back", "judged", "recorded"]


def test_without_an_answer_the_slot_is_given_back_too() -> None:
    told = list[str]()
    with serving(lambda _: None) as url, pytest.raises(NoAnswer):
        Wire(new_session(), timeouts=Timeouts(), on_exchange=lambda _: told.append("recorded")).send(
            requests.Request("POST", url, data=b"{}").prepare(), lambda answer: answer, slot=held(told)
        )
    assert told == ["taken", "recorded", "given back"]


def test_an_answer_beyond_reason_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_BYTES", 99)
    with (
        serving(lambda connection: connection.sendall(HEAD + b"x" * 100)) as url,
        pytest.raises(UnexpectedAnswer) as caught,
    ):
        post(url)

    assert (caught.value.outcome, caught.value.status) == (Outcome.UNKNOWN, 200)


def test_without_a_connection_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NoAnswer) as caught:
        post(f"http://127.0.0.1:{port}")

    assert (caught.value.outcome, caught.value.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Serve TLS under a certificate that nobody vouches for; yield the address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "stranger.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(65_536)
                wrapped.sendall(HEAD.replace(b"100", b"2") + b"{}")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_a_host_with_an_untrusted_certificate_is_sent_nothing(stranger: str) -> None:
    with pytest.raises(NoAnswer, match="CERTIFICATE_VERIFY_FAILED") as caught:
        post(stranger)

    assert (caught.value.outcome, caught.value.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)


@pytest.mark.parametrize(
    "error", [requests.exceptions.ConnectTimeout("slow"), requests.exceptions.ProxyError("no proxy")]
)
def test_a_connection_that_was_never_made_sent_nothing(
    error: requests.exceptions.RequestException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", fail)
    with pytest.raises(NoAnswer) as caught:
        post("https://rest.test.zuora.com")

    assert (caught.value.outcome, caught.value.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)
