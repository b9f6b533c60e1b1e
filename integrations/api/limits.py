"""How often a key may ask: so many requests a minute for each class of operation, counted in Redis for all processes.

The classes follow Stigg's (https://docs.stigg.io/api-and-sdks/integration/graphql/rate-limits). The counter protects
the service and no bill: while Redis is away, nobody is kept out.
"""

from datetime import datetime
from functools import cache
from http import HTTPStatus

import redis
import structlog
from django.conf import settings

from integrations.api.errors import ApiError
from integrations.api.operation import RateClass
from integrations.models import ApiKey

log = structlog.get_logger(__name__)

_MINUTE = 60


def spend(*, key: ApiKey, rate: RateClass, now: datetime) -> dict[str, str]:
    """Count one request, and return the headers that say how many are left.

    Raises:
        ApiError: there are none left in this minute; `Retry-After` says when there are.
    """
    limit = settings.API_RATE_LIMITS[rate.value]
    if not limit:
        return {}
    minute, second = divmod(int(now.timestamp()), _MINUTE)
    used = _count(f"api-rate:{key.digest[:32]}:{rate}:{minute}")
    if used is None:
        return {}
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(limit - used, 0)),
        "X-RateLimit-Reset": str(_MINUTE - second),
    }
    if used > limit:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "RateLimitExceeded",
            f"{limit} requests of this kind a minute are the most for one API key: wait {_MINUTE - second} seconds.",
            headers={**headers, "Retry-After": str(_MINUTE - second)},
        )
    return headers


def _count(name: str) -> int | None:
    try:
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            pipeline.incr(name)
            pipeline.expire(name, 2 * _MINUTE)
            used, _ = pipeline.execute()
    except redis.RedisError as error:
        log.warning("api requests are not counted", error=str(error))
        return None
    return int(used)


@cache
def _client(url: str) -> redis.Redis:
    # An answer must not wait for a counter.
    return redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)
