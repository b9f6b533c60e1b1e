"""OAuth client credentials: one token per connection, shared by all processes, renewed by one of them at a time.

Source: https://developer.zuora.com/v1-api-reference/api/operation/createToken/
"""

import base64
import hashlib
import hmac
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Protocol

import redis
import redis.exceptions
import requests
import requests.auth
from cryptography.fernet import Fernet, InvalidToken

from integrations.zuora.answers import Answer, facts
from integrations.zuora.errors import (
    Kind,
    LimitExceeded,
    NoAnswer,
    Outcome,
    Redirected,
    Scope,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    ZuoraError,
)

USER_AGENT = "stigg-zuora"

_RENEW_EARLY = 300.0  # seconds; from https://developer.zuora.com/v1-api-reference/error-handling/
_RENEW_EARLY_SHARE = 0.2  # a short-lived token is used for most of its life
_LOCK_SECONDS = 60.0
_LOCK_WAIT = 45.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens a tenant: the REST base URL without a slash at its end, and the OAuth client of an API user."""

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token; times are seconds since the epoch, `scope` is Zuora's list of what it may touch."""

    access_token: str = field(repr=False)
    expires_at: float
    renew_at: float
    scope: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the token is: the tenant's number, the entities it may touch, the API user."""

    tenant: str
    entities: tuple[str, ...]
    user: str


def identity(token: Token) -> Identity:
    """Read the scope `user.<id> entity.<id> ... tenant.<n>`; what is not in it stays empty."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for word in token.scope.split():
        kind, _, value = word.partition(".")
        parts[kind].append(value)
    return Identity(
        tenant=next(iter(parts["tenant"]), ""), entities=tuple(parts["entity"]), user=next(iter(parts["user"]), "")
    )


class TokenStore(Protocol):
    """Where the processes share tokens. Values are sealed: the store cannot read them."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, value: bytes, *, seconds: float) -> None: ...

    def renewing(self, key: str) -> AbstractContextManager[None]:
        """Hold the right to renew; others wait until it is given back."""
        ...


class MemoryTokenStore:
    """The store of a single process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def put(self, key: str, value: bytes, *, seconds: float) -> None:  # noqa: ARG002  (the token knows its own end)
        self._values[key] = value

    @contextmanager
    def renewing(self, key: str) -> Iterator[None]:  # noqa: ARG002  (one process renews seldom enough for one lock)
        with self._lock:
            yield


class RedisTokenStore:
    """The store of many processes. Without Redis each of them asks for a token of its own."""

    def __init__(self, client: redis.Redis, *, prefix: str = "zuora:token:") -> None:
        self._redis = client
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        with suppress(redis.exceptions.RedisError):
            value = self._redis.get(self._prefix + key)
            return value.encode() if isinstance(value, str) else value
        return None

    def put(self, key: str, value: bytes, *, seconds: float) -> None:
        with suppress(redis.exceptions.RedisError):
            self._redis.set(self._prefix + key, value, px=max(1, int(seconds * 1000)))

    @contextmanager
    def renewing(self, key: str) -> Iterator[None]:
        lock = self._redis.lock(f"{self._prefix}{key}:renewing", timeout=_LOCK_SECONDS, blocking_timeout=_LOCK_WAIT)
        with suppress(redis.exceptions.RedisError):
            if not lock.acquire():
                raise NoAnswer("Another worker is still waiting for a token from Zuora.")
        try:
            yield
        finally:
            # It may have run out meanwhile, or never have been taken: then there is nothing to give back.
            with suppress(redis.exceptions.RedisError):
                lock.release()


class Send(Protocol):
    """Put a prepared request on the wire and return what `judge` makes of the answer."""

    def __call__(self, request: requests.PreparedRequest, judge: Callable[[Answer], Token], /) -> Token: ...


class _Locker:
    """Where credentials have their token: its sealed place in the store, and what this process had of it last."""

    def __init__(self, credentials: Credentials) -> None:
        secret = credentials.client_secret.encode()
        # Keyed by the secret, so that a wrong one never meets the token that the right one got.
        name = f"{credentials.base_url} {credentials.client_id}".encode()
        self.key = hmac.new(secret, b"name " + name, hashlib.sha256).hexdigest()
        self.seal = Fernet(base64.urlsafe_b64encode(hmac.new(secret, b"seal " + name, hashlib.sha256).digest()))
        #: The store need not be asked, and its value unsealed, for every call.
        self.token: Token | None = None


class OAuth(requests.auth.AuthBase):
    """Signs requests with the connection's token, and gets one when there is none, or none that lasts."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        store: TokenStore,
        send: Send,
        clock: Callable[[], datetime],
        locker: "_Locker | None" = None,
    ) -> None:
        self._credentials = credentials
        self._store = store
        self._send = send
        self._clock = clock
        self._locker = locker or _Locker(credentials)

    def over(self, send: Send) -> "OAuth":
        """Return the same login over another wire: what one of them knows the other knows."""
        return OAuth(self._credentials, store=self._store, send=send, clock=self._clock, locker=self._locker)

    def __repr__(self) -> str:
        return f"OAuth({self._credentials.client_id!r} at {self._credentials.base_url})"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request.

        Raises:
            ZuoraError: no token can be had; the outcome is NOT_SENT, for the request itself never left.
        """
        request.headers["Authorization"] = f"Bearer {self.token().access_token}"
        return request

    def token(self) -> Token:
        """Return a token that is good for a while, from the store or from Zuora."""
        kept = self._locker.token
        if kept is not None and self._now() < kept.renew_at:
            return kept
        return self._stored() or self._obtain(reuse=lambda stored: True)  # noqa: ARG005

    def renew(self, refused: str) -> Token:
        """Return a token other than the refused one: what another process got meanwhile, or a new one."""
        return self._obtain(reuse=lambda stored: stored.access_token != refused)

    def prove(self) -> Token:
        """Return a new token in any case: the proof that the credentials work now."""
        return self._obtain(reuse=lambda stored: False)  # noqa: ARG005

    def _obtain(self, *, reuse: Callable[[Token], bool]) -> Token:
        try:
            with self._store.renewing(self._locker.key):
                stored = self._stored()
                if stored and reuse(stored):
                    return stored
                token = self._locker.token = self._send(self._request(), self._judge)
                sealed = self._locker.seal.encrypt(json.dumps(asdict(token)).encode())
                self._store.put(self._locker.key, sealed, seconds=token.expires_at - self._now())
                return token
        except ZuoraError as error:
            # Without a token nothing else was sent, and nothing can be, for any entity.
            error.outcome, error.scope = Outcome.NOT_SENT, Scope.CONNECTION
            raise

    def _stored(self) -> Token | None:
        sealed = self._store.get(self._locker.key)
        if sealed is None:
            return None
        try:
            token = Token(**json.loads(self._locker.seal.decrypt(sealed)))
        except (InvalidToken, ValueError, TypeError):
            return None  # written by another release, or not by us
        if self._now() >= token.renew_at:
            return None
        self._locker.token = token
        return token

    def _now(self) -> float:
        return self._clock().timestamp()

    def _request(self) -> requests.PreparedRequest:
        return requests.Request(
            "POST",
            f"{self._credentials.base_url}/oauth/token",
            headers={"Accept": "application/json", "User-Agent": USER_AGENT},
            data={
                "client_id": self._credentials.client_id,
                "client_secret": self._credentials.client_secret,
                "grant_type": "client_credentials",
            },
        ).prepare()

    def _judge(self, answer: Answer) -> Token:
        if error := self._refusal(answer):
            raise error
        body = answer.payload if isinstance(answer.payload, dict) else {}
        token, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int) or seconds <= 0:
            raise UnexpectedAnswer(
                f"{self._credentials.base_url} answers a token request without a token: is this a Zuora host?",
                **facts(answer),
            )
        now = self._now()
        early = min(_RENEW_EARLY, seconds * _RENEW_EARLY_SHARE)
        return Token(token, now + seconds, now + seconds - early, str(body.get("scope") or ""))

    def _refusal(self, answer: Answer) -> ZuoraError | None:
        """Judge by the status alone: Zuora documents no body for a refused secret."""
        host, status = self._credentials.base_url, answer.status
        if 200 <= status < 300:  # noqa: PLR2004
            return None
        if status == 429:  # noqa: PLR2004
            return LimitExceeded(f"{host} gives no more tokens for now.", **facts(answer))
        if 400 <= status < 500 and status not in {404, 408}:  # noqa: PLR2004
            return Unauthorized(f"{host} refuses this client ID and secret (HTTP {status}).", **facts(answer))
        if 300 <= status < 400:  # noqa: PLR2004
            target = answer.header("location") or "nowhere"
            return Redirected(f"{host} redirects to {target}: check the tenant URL.", **facts(answer))
        if status == 404:  # noqa: PLR2004
            return UnexpectedAnswer(
                f"{host} has no token endpoint: check the tenant URL.", kind=Kind.PERMANENT, **facts(answer)
            )
        return Unavailable(f"{host} cannot give a token at the moment (HTTP {status}).", **facts(answer))
