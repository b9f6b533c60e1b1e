"""Opens the client of a connection: shared token and budget, one pool of connections per process."""

from datetime import datetime
from zoneinfo import ZoneInfo

import redis
from django.conf import settings

from integrations.models import Connection
from integrations.zuora.auth import Credentials, RedisTokenStore
from integrations.zuora.budget import Budget, Limits
from integrations.zuora.client import Client, Timeouts
from integrations.zuora.leases import RedisLeases
from integrations.zuora.limits import LimitsInUse, Sightings, calls_left_today, limits_in_use
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.push.usage.road import FileRoad

_clients: dict[tuple[int, datetime], Client] = {}


def client_for(connection: Connection) -> Client:
    """Return this process's client of the connection; changed credentials open a new one."""
    key = (connection.pk, connection.credentials_since)
    if key not in _clients:
        _clients.clear()
        _clients[key] = client_with(
            rest_url=connection.rest_url, client_id=connection.client_id, client_secret=connection.client_secret
        )
    return _clients[key]


def client_with(*, rest_url: str, client_id: str, client_secret: str) -> Client:
    """Return a client with these credentials: for a connection, or to test one before it is saved."""
    shared = redis.Redis.from_url(settings.REDIS_URL)
    sightings = Sightings(shared, tenant=rest_url)
    return Client(
        Credentials(rest_url, client_id, client_secret),
        tokens=RedisTokenStore(shared),
        budget=Budget(RedisLeases(shared, tenant=rest_url), limits=granted(), on_headers=sightings.note),
        timeouts=Timeouts(read=settings.ZUORA_TIMEOUT_SECONDS),
    )


def limits_of(connection: Connection, *, now: datetime) -> LimitsInUse | None:
    """Return the tenant's limits as they stand, or None while Redis does not answer."""
    shared = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return limits_in_use(shared, tenant=connection.rest_url, limits=granted(), now=now.timestamp())


def file_road_of(connection: Connection) -> FileRoad | None:
    """Return how usage may go in files, or None while the settings do not allow it."""
    if not settings.ZUORA_USAGE_FILE_DATES:
        return None
    shared = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)
    return FileRoad(
        dates=settings.ZUORA_USAGE_FILE_DATES,
        least=settings.ZUORA_USAGE_FILE_LEAST,
        always=settings.ZUORA_USAGE_FILE_ALWAYS,
        calls_left_today=calls_left_today(shared, tenant=connection.rest_url),
    )


def granted() -> Limits:
    """Return how many calls of each class the tenant grants us at once, as the settings say."""
    return Limits(
        default=settings.ZUORA_CONCURRENCY,
        high_volume=settings.ZUORA_CONCURRENCY_HIGH_VOLUME,
        object_query=settings.ZUORA_CONCURRENCY_OBJECT_QUERY,
    )


def tenant_of(connection: Connection) -> Tenant:
    """Return what the mapping must know of the tenant."""
    found = connection.findings.get("custom_fields", {})
    return Tenant(
        key_prefix=connection.key_prefix,
        public_url=settings.PUBLIC_URL,
        custom_fields={name: frozenset(fields) for name, fields in found.items()},
        time_zone=ZoneInfo(connection.time_zone),
    )
