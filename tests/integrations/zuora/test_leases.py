import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from integrations.zuora.leases import CallClass, Priority, RedisLeases


def test_who_waits_longer_than_redis_may_be_silent_does_not_take_it_for_away(redis_client: redis.Redis) -> None:
    """The client takes a silence for an error, and a tenant may want a longer pause than that."""
    where = redis_client.connection_pool.connection_kwargs["path"]
    with redis.Redis(unix_socket_path=where, socket_timeout=2, retry=Retry(NoBackoff(), retries=0)) as impatient:
        RedisLeases(impatient, tenant="1234").rest(CallClass.DEFAULT, Priority.CLICK, 3.0)
