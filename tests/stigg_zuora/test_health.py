from unittest import mock

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoDbBlocker, Settings

OK = {"database": "ok", "migrations": "ok", "redis": "ok"}


def test_it_is_alive_without_a_database(client: Client) -> None:
    answer = client.get("/healthz", headers={"host": "10.0.0.1"})

    assert (answer.status_code, answer.content) == (200, b"ok")


@pytest.mark.django_db
def test_it_is_ready_when_everything_answers(client: Client) -> None:
    answer = client.get("/readyz", headers={"host": "10.0.0.1"})

    assert (answer.status_code, answer.json()) == (200, OK)


@pytest.mark.django_db
def test_probes_are_not_sent_to_https(client: Client, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_it_is_not_ready_while_redis_is_away(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == OK | {"redis": answer.json()["redis"]}
    assert answer.json()["redis"].startswith("Redis does not answer: ")


@pytest.mark.django_db
def test_it_is_not_ready_while_a_migration_is_missing(client: Client) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions", "0001_initial")

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == OK | {"migrations": "1 migrations are not applied: run `python manage.py migrate`."}


def test_it_is_not_ready_while_the_database_is_away(
    client: Client, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> None:
    for name, value in {"HOST": "/nowhere", "OPTIONS": {}}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    with django_db_blocker.unblock():
        connection.close()
        with mock.patch.object(connection, "get_new_connection", wraps=connection.get_new_connection) as waited:
            answer = client.get("/readyz")
        connection.close()

    said = answer.json()
    assert answer.status_code == 503
    assert said.pop("database").startswith("The database does not answer: ")
    assert said == {"migrations": "Unknown while the database does not answer.", "redis": "ok"}
    assert waited.call_count == 1


@pytest.mark.django_db
def test_what_a_restart_of_the_database_has_closed_is_given_to_nobody() -> None:
    another = connection.copy()
    with another.cursor() as cursor:
        cursor.execute("SELECT 1")
    another.close()  # back into the pool
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchall()
    with another.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)
    another.close()


@pytest.mark.django_db
def test_metrics_need_no_login(client: Client) -> None:
    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert b"django_http_requests_before_middlewares_total" in answer.content


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/api/v1/plans", (503, "Nothing was stored: send the request again in a moment.")),
        ("/api/v1/nothing", (404, "There is no GET /api/v1/nothing here.")),
    ],
)
@pytest.mark.parametrize("session", ["", "of-somebody-who-is-logged-in"])
def test_the_api_answers_in_its_shape_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch,
    django_db_blocker: DjangoDbBlocker,
    session: str,
    path: str,
    answered: tuple[int, str],
) -> None:
    client = Client()
    for name, value in {"HOST": "/nowhere", "OPTIONS": {}}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    client.cookies["sessionid"] = session
    with django_db_blocker.unblock():
        connection.close()
        answer = client.get(path, headers={"X-API-KEY": "server-made-up"})
        connection.close()

    assert (answer.status_code, answer.json()["message"]) == answered


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("get", "The database does not answer. Nothing was changed: load the page again in a moment."),
        ("post", "The database does not answer. What you sent was not saved: go back in a moment, and send it again."),
    ],
)
def test_a_page_says_that_the_database_is_away_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker, method: str, said: str
) -> None:
    client = Client(raise_request_exception=False)
    for name, value in {"HOST": "/nowhere", "OPTIONS": {}}.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    client.cookies["sessionid"] = "of-somebody-who-is-logged-in"
    with django_db_blocker.unblock():
        connection.close()
        answer = getattr(client, method)("/problems/retry/")
        connection.close()

    assert answer.status_code == 503
    assert f"<p>{said}</p>" in answer.content.decode()
