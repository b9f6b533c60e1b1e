from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from stigg_zuora import checks

FERNET_KEY = "bWFkZS11cC1mb3ItdGhlLXRlc3RzLW5vdC1zZWNyZXQ="


def found_by(check: Callable[..., Any]) -> list[tuple[str, str]]:
    return [(message.id, message.msg) for message in check(app_configs=None)]


def test_every_check_is_registered_and_settings_without_a_mistake_are_silent() -> None:
    assert [message for message in run_checks() if message.id and message.id.startswith("stigg_zuora.E")] == []


def test_a_mistake_is_reported_by_manage_py_check(settings: Settings) -> None:
    settings.PUBLIC_URL = "nowhere"

    assert [message.id for message in run_checks()] == ["stigg_zuora.E006"]


@pytest.mark.parametrize(
    ("check", "name", "value", "message"),
    [
        (
            checks.readable,
            "UNREADABLE_SETTINGS",
            {"DEBUG": "'perhaps' is neither true nor false"},
            ("stigg_zuora.E001", "DEBUG cannot be used: 'perhaps' is neither true nor false."),
        ),
        (
            checks.secret_key,
            "SECRET_KEY",
            "",
            ("stigg_zuora.E002", "SECRET_KEY is not set: sessions cannot be signed."),
        ),
        (
            checks.encryption_keys,
            "ENCRYPTION_KEYS",
            [],
            ("stigg_zuora.E003", "ENCRYPTION_KEYS is not set: the Zuora client secret cannot be stored."),
        ),
        (
            checks.encryption_keys,
            "ENCRYPTION_KEYS",
            [FERNET_KEY, "too-short"],
            ("stigg_zuora.E004", "Key 2 of ENCRYPTION_KEYS is not a Fernet key."),
        ),
        *(
            (checks.redis_url, "REDIS_URL", url, ("stigg_zuora.E005", "REDIS_URL is not the address of a Redis."))
            for url in ("localhost:6379", "redis://", "unix://", "http://redis.example")
        ),
        *(
            (checks.public_url, "PUBLIC_URL", url, ("stigg_zuora.E006", f"PUBLIC_URL is not an address: {url!r}."))
            for url in ("billing.example.com", "https://", "")
        ),
        (
            checks.extra_hosts,
            "ZUORA_EXTRA_HOSTS",
            ["http://127.0.0.1:8900", "localhost:8900"],
            ("stigg_zuora.E007", "ZUORA_EXTRA_HOSTS holds 'localhost:8900', which is not an address."),
        ),
        *(
            (
                checks.zuora_key_prefix,
                "ZUORA_KEY_PREFIX",
                prefix,
                ("stigg_zuora.E008", f"ZUORA_KEY_PREFIX cannot begin Zuora's keys: {prefix!r}."),
            )
            for prefix in ("", "A0", "acme", "thirteen-char", "with space", "sl/ash", "ümlaut", "two--dashes", "9lives")
        ),
        *(
            (checks.positive_numbers, name, value, ("stigg_zuora.E009", f"{name} must be more than 0; it is {value}."))
            for name in checks.POSITIVE
            for value in (0, -1)
        ),
        *(
            (
                checks.usage_file_dates,
                "ZUORA_USAGE_FILE_DATES",
                dates,
                (
                    "stigg_zuora.E012",
                    f"ZUORA_USAGE_FILE_DATES is no format of dates that Zuora reads: {dates!r}.",
                ),
            )
            for dates in ("YYYY-MM-DD", "mm/dd/yyyy", "true")
        ),
        (
            checks.settle_seconds,
            "SYNC_SETTLE_SECONDS",
            -0.5,
            ("stigg_zuora.E011", "SYNC_SETTLE_SECONDS must not be negative; it is -0.5."),
        ),
        (
            checks.claim_outlives_delivery,
            "SYNC_CLAIM_SECONDS",
            125.0,
            ("stigg_zuora.E010", "SYNC_CLAIM_SECONDS is not longer than ZUORA_TIMEOUT_SECONDS."),
        ),
    ],
)
def test_a_mistake_has_an_id_a_sentence_and_a_hint(
    settings: Settings, check: Callable[..., Any], name: str, value: Any, message: tuple[str, str]
) -> None:
    assert found_by(check) == []

    setattr(settings, name, value)

    assert found_by(check) == [message]
    assert all(mistake.hint for mistake in check(app_configs=None))


@pytest.mark.parametrize("url", ["redis://cache.example:6379/0", "rediss://cache.example/1", "unix:///var/redis.sock"])
def test_an_address_of_a_redis_is_accepted(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url

    assert found_by(checks.redis_url) == []


@pytest.mark.parametrize(
    ("engine", "redis_url", "debug", "found"),
    [
        ("django.db.backends.sqlite3", "redis://cache.example", False, ["stigg_zuora.W001"]),
        ("django.db.backends.sqlite3", "redis://cache.example", True, []),
        ("django.db.backends.sqlite3", "unix:///var/redis.sock", False, []),
        ("django.db.backends.postgresql", "redis://cache.example", False, []),
    ],
)
def test_sqlite_is_warned_of_where_it_is_not_embedded(  # noqa: PLR0917
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    redis_url: str,
    debug: bool,
    found: list[str],
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", engine)
    settings.REDIS_URL = redis_url
    settings.DEBUG = debug

    assert [message.id for message in checks.database(app_configs=None)] == found
