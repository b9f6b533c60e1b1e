"""Is it alive, and can it work? For load balancers and container health checks."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

OK = "ok"
_UNKNOWN = "Unknown while the database does not answer."


class ProbeMiddleware:
    """Answers /healthz (200 while the process lives) and /readyz (200 when it can work, else 503 and why).

    It stands before everything else: a probe comes by address, without a session, TLS or a name in ALLOWED_HOSTS, and
    must get an answer, not an error page, while the database is away.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse(OK, content_type="text/plain")
        if request.path == "/readyz":
            return ready()
        return self.get_response(request)


def ready() -> JsonResponse:
    """Say of each thing that is needed "ok", or in a sentence what is wrong with it."""
    database = _database()
    migrations = _migrations() if database == OK else _UNKNOWN  # it is not waited for twice
    found = {"database": database, "migrations": migrations, "redis": _redis()}
    return JsonResponse(found, status=200 if set(found.values()) == {OK} else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"The database does not answer: {_first_line(error)}"
    return OK


def _migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return _UNKNOWN
    if missing:
        return f"{len(missing)} migrations are not applied: run `python manage.py migrate`."
    return OK


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return f"Redis does not answer: {_first_line(error)}"
    return OK


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
