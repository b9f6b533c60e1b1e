import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import responses
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.integrations.zuora.canned import answering
from tests.servers import redis_server


@pytest.fixture(scope="session")
def _redis_address() -> Iterator[str]:
    # Not pytest's own directories: the path of a socket must stay short.
    with tempfile.TemporaryDirectory(prefix="zuora-") as directory, redis_server(Path(directory)) as address:
        yield address


@pytest.fixture
def redis_client(_redis_address: str) -> Iterator[redis.Redis]:
    """Give a client of an empty Redis of these tests' own."""
    with redis.Redis.from_url(_redis_address) as client:
        client.flushall()
        yield client


@pytest.fixture
def dead_redis(tmp_path: Path) -> Iterator[redis.Redis]:
    """Give a client of a Redis that is not there."""
    never_again = Retry(NoBackoff(), retries=0)
    with redis.Redis(unix_socket_path=str(tmp_path / "nothing.sock"), retry=never_again) as client:
        yield client


@pytest.fixture
def zuora() -> Iterator[responses.RequestsMock]:
    """Give canned answers to a client of `canned.make_client`."""
    with answering() as mock:
        yield mock
