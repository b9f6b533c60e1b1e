import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import redis
import requests

from integrations.zuora.answers import Answer
from integrations.zuora.auth import (
    Credentials,
    Identity,
    MemoryTokenStore,
    OAuth,
    RedisTokenStore,
    TokenStore,
    identity,
)
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

CREDENTIALS = Credentials("https://rest.test.zuora.com", "made-up-client", "made-up-secret")
SCOPE = "user.u1 entity.e1 entity.e2 service.usage.delete tenant.1234"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class TokenEndpoint:
    """Gives out T1, T2, ... and keeps the requests."""

    def __init__(self, *, expires_in: int = 3599, answer: Answer | None = None) -> None:
        self.requests: list[requests.PreparedRequest] = []
        self.expires_in = expires_in
        self.answer = answer

    def __call__(self, request: requests.PreparedRequest, judge: Callable[[Answer], Any]) -> Any:
        self.requests.append(request)
        token = f'"access_token": "T{len(self.requests)}", "expires_in": {self.expires_in}, "scope": "{SCOPE}"'
        return judge(self.answer or Answer(200, {}, f'{{{token}, "token_type": "bearer"}}'))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, redis_client: redis.Redis) -> TokenStore:
    return MemoryTokenStore() if request.param == "memory" else RedisTokenStore(redis_client)


def oauth(store: TokenStore, send: TokenEndpoint, clock: Clock, credentials: Credentials = CREDENTIALS) -> OAuth:
    return OAuth(credentials, store=store, send=send, clock=clock)


def authorization(auth: OAuth) -> str:
    request = requests.Request("GET", "https://rest.test.zuora.com/v1/x", auth=auth).prepare()
    return str(request.headers["Authorization"])


def test_token_is_asked_for_by_form_and_signs_the_request(store: TokenStore, clock: Clock) -> None:
    endpoint = TokenEndpoint()

    assert authorization(oauth(store, endpoint, clock)) == "Bearer T1"
    [request] = endpoint.requests
    assert (request.method, request.url) == ("POST", "https://rest.test.zuora.com/oauth/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in request.headers
    assert parse_qs(str(request.body)) == {
        "client_id": ["made-up-client"],
        "client_secret": ["made-up-secret"],
        "grant_type": ["client_credentials"],
    }


def test_token_is_shared_by_all_that_share_the_store(store: TokenStore, clock: Clock) -> None:
    endpoint = TokenEndpoint()

    assert [authorization(oauth(store, endpoint, clock)) for _ in range(3)] == ["Bearer T1"] * 3
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(("expires_in", "lives"), [(3599, 3299), (600, 480), (10, 8)])
def test_token_is_renewed_early_but_used_for_most_of_a_short_life(
    store: TokenStore, clock: Clock, expires_in: int, lives: int
) -> None:
    auth = oauth(store, TokenEndpoint(expires_in=expires_in), clock)
    seen = [authorization(auth)]
    clock.pass_by(lives - 0.01)
    seen.append(authorization(auth))
    clock.pass_by(0.02)
    seen.append(authorization(auth))

    assert seen == ["Bearer T1", "Bearer T1", "Bearer T2"]


def test_a_refused_token_is_replaced_once_for_all(store: TokenStore, clock: Clock) -> None:
    endpoint = TokenEndpoint()
    one, two = oauth(store, endpoint, clock), oauth(store, endpoint, clock)
    refused = one.token().access_token

    assert [one.renew(refused).access_token, two.renew(refused).access_token] == ["T2", "T2"]
    assert len(endpoint.requests) == 2


def test_proof_asks_zuora_even_with_a_good_token_in_the_store(store: TokenStore, clock: Clock) -> None:
    auth = oauth(store, TokenEndpoint(), clock)
    auth.token()

    assert auth.prove().access_token == "T2"
    assert auth.token().access_token == "T2"


@pytest.mark.parametrize(
    "other",
    [
        Credentials(CREDENTIALS.base_url, CREDENTIALS.client_id, "another-secret"),
        Credentials(CREDENTIALS.base_url, "another-client", CREDENTIALS.client_secret),
        Credentials("https://rest.zuora.com", CREDENTIALS.client_id, CREDENTIALS.client_secret),
    ],
)
def test_other_credentials_never_meet_this_token(store: TokenStore, clock: Clock, other: Credentials) -> None:
    endpoint = TokenEndpoint()
    authorization(oauth(store, endpoint, clock))

    assert authorization(oauth(store, endpoint, clock, other)) == "Bearer T2"


def test_workers_that_need_a_token_at_once_ask_for_one(store: TokenStore, clock: Clock) -> None:
    endpoint = TokenEndpoint()
    together = threading.Barrier(4)
    seen: list[str] = []

    def work() -> None:
        auth = oauth(store, endpoint, clock)
        together.wait()
        seen.append(auth.token().access_token)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == ["T1"] * 4
    assert len(endpoint.requests) == 1


def test_redis_holds_neither_token_nor_secret_and_forgets_in_time(redis_client: redis.Redis, clock: Clock) -> None:
    # Long enough that what is encrypted does not hold it by chance.
    granted = Answer(200, {}, f'{{"access_token": "made-up-access-token", "expires_in": 100, "scope": "{SCOPE}"}}')
    token = oauth(RedisTokenStore(redis_client), TokenEndpoint(answer=granted), clock).token()
    [key] = list(redis_client.scan_iter("*"))
    kept = key + redis_client.dump(key)

    assert token.access_token == "made-up-access-token"
    assert b"made-up-access-token" not in kept
    assert b"made-up" not in kept
    assert 0 < int(redis_client.ttl(key)) <= 100


def test_a_client_that_decodes_answers_shares_the_same_token(redis_client: redis.Redis, clock: Clock) -> None:
    endpoint = TokenEndpoint()
    path = redis_client.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=path, decode_responses=True) as decoding:
        stores = [RedisTokenStore(redis_client), RedisTokenStore(decoding)]
        assert [authorization(oauth(each, endpoint, clock)) for each in stores] == ["Bearer T1"] * 2


def test_what_another_release_left_in_the_store_is_ignored(redis_client: redis.Redis, clock: Clock) -> None:
    endpoint = TokenEndpoint()
    oauth(RedisTokenStore(redis_client), endpoint, clock).token()
    [key] = list(redis_client.scan_iter("*"))
    redis_client.set(key, b"something else")

    assert oauth(RedisTokenStore(redis_client), endpoint, clock).token().access_token == "T2"


def test_token_is_kept_by_the_process_and_shared_by_the_clients_of_its_deliveries(
    redis_client: redis.Redis, clock: Clock
) -> None:
    endpoint, another = TokenEndpoint(), TokenEndpoint()
    auth = oauth(RedisTokenStore(redis_client), endpoint, clock)
    assert authorization(auth.over(another)) == "Bearer T1"
    redis_client.flushall()
    assert [authorization(auth), authorization(auth.over(endpoint))] == ["Bearer T1"] * 2
    assert (len(endpoint.requests), len(another.requests)) == (0, 1)
    clock.pass_by(3599 - 300)
    assert authorization(auth) == "Bearer T1"  # of the other endpoint, which knows nothing of the first
    assert len(endpoint.requests) == 1


def test_without_redis_each_process_asks_for_itself(dead_redis: redis.Redis, clock: Clock) -> None:
    assert authorization(oauth(RedisTokenStore(dead_redis), TokenEndpoint(), clock)) == "Bearer T1"


def test_nothing_of_the_secret_is_shown(clock: Clock) -> None:
    auth = oauth(MemoryTokenStore(), TokenEndpoint(), clock)
    shown = repr([auth, CREDENTIALS, auth.token()])

    assert "made-up-secret" not in shown
    assert "T1" not in shown
    assert "made-up-client" in shown


@pytest.mark.parametrize(
    ("answer", "cls", "kind"),
    [
        (Answer(400, {}, '{"code": 1, "message": "x"}'), Unauthorized, Kind.PERMANENT),
        (Answer(401, {}, '{"message": "x"}'), Unauthorized, Kind.PERMANENT),
        (Answer(401, {}, "<html>"), Unauthorized, Kind.PERMANENT),
        (Answer(403, {}, ""), Unauthorized, Kind.PERMANENT),
        (Answer(404, {}, "<html>"), UnexpectedAnswer, Kind.PERMANENT),
        (Answer(408, {}, ""), Unavailable, Kind.TRANSIENT),
        (Answer(429, {"Retry-After": "7"}, "<html>"), LimitExceeded, Kind.TRANSIENT),
        (Answer(500, {}, ""), Unavailable, Kind.TRANSIENT),
        (Answer(503, {"Retry-After": "7"}, "<html>"), Unavailable, Kind.TRANSIENT),
        (Answer(302, {"Location": "https://elsewhere.example"}, ""), Redirected, Kind.PERMANENT),
        (Answer(200, {}, "<html>"), UnexpectedAnswer, Kind.TRANSIENT),
        (Answer(200, {}, '{"expires_in": 3599}'), UnexpectedAnswer, Kind.TRANSIENT),
        (Answer(200, {}, '{"access_token": "T", "expires_in": 0}'), UnexpectedAnswer, Kind.TRANSIENT),
        (Answer(200, {}, '{"access_token": "T"}'), UnexpectedAnswer, Kind.TRANSIENT),
    ],
)
def test_refusal_is_judged_by_the_status_and_concerns_the_whole_connection(
    clock: Clock, answer: Answer, cls: type[ZuoraError], kind: Kind
) -> None:
    auth = oauth(MemoryTokenStore(), TokenEndpoint(answer=answer), clock)
    with pytest.raises(ZuoraError) as caught:
        auth.token()

    error = caught.value
    assert (type(error), error.kind, error.status) == (cls, kind, answer.status)
    assert (error.outcome, error.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)
    assert error.retry_after == (7.0 if "Retry-After" in answer.headers else None)
    assert "made-up-secret" not in str(error)


def test_a_lost_answer_to_the_token_request_leaves_the_real_one_unsent(clock: Clock) -> None:
    def send(_: requests.PreparedRequest, __: Callable[[Answer], Any]) -> Any:
        raise NoAnswer("reset", outcome=Outcome.UNKNOWN)

    with pytest.raises(NoAnswer) as caught:
        OAuth(CREDENTIALS, store=MemoryTokenStore(), send=send, clock=clock).token()

    assert (caught.value.outcome, caught.value.scope) == (Outcome.NOT_SENT, Scope.CONNECTION)


def test_identity_is_read_from_the_scope(clock: Clock) -> None:
    token = oauth(MemoryTokenStore(), TokenEndpoint(), clock).token()

    assert identity(token) == Identity(tenant="1234", entities=("e1", "e2"), user="u1")
