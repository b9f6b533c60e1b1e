"""Mistakes in the settings, each with an id and what to do about it: `manage.py check` lists them all."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's own word
from django.core.exceptions import ImproperlyConfigured

#: What must be more than zero for anything to move.
POSITIVE = (
    "DATABASE_POOL_SIZE",
    "ZUORA_CONCURRENCY",
    "ZUORA_CONCURRENCY_HIGH_VOLUME",
    "ZUORA_CONCURRENCY_OBJECT_QUERY",
    "ZUORA_TIMEOUT_SECONDS",
    "ZUORA_USAGE_FILE_LEAST",
    "SYNC_SWEEP_SECONDS",
    "USAGE_SWEEP_SECONDS",
    "SYNC_CLAIM_SECONDS",
    "SYNC_MAX_ATTEMPTS",
    "REQUEST_LOG_DAYS",
    "STIGG_CALLS_PER_MINUTE",
)
#: A tenant numbers its accounts itself, with A and digits as a rule, and takes no other number that begins so.
KEY_PREFIX = re.compile(r"(?=.{1,12}$)[b-z][a-z0-9]*(-[a-z0-9]+)*")

Found = Sequence[CheckMessage]
Apps = Sequence[AppConfig] | None


@register
def readable(app_configs: Apps, **_: Any) -> Found:
    return [
        Error(
            f"{name} cannot be used: {mistake}.",
            hint=f"Correct it, or leave {name} out to get its default; .env.example explains it.",
            id="stigg_zuora.E001",
        )
        for name, mistake in settings.UNREADABLE_SETTINGS.items()
    ]


@register
def secret_key(app_configs: Apps, **_: Any) -> Found:
    try:
        settings.SECRET_KEY  # noqa: B018 - an empty key raises when it is read
    except ImproperlyConfigured:
        return [
            Error(
                "SECRET_KEY is not set: sessions cannot be signed.",
                hint="Make one and keep it: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
                id="stigg_zuora.E002",
            )
        ]
    return []


@register
def encryption_keys(app_configs: Apps, **_: Any) -> Found:
    make_one = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
    if not settings.ENCRYPTION_KEYS:
        return [
            Error(
                "ENCRYPTION_KEYS is not set: the Zuora client secret cannot be stored.",
                hint=f"Make a key and keep it: {make_one}",
                id="stigg_zuora.E003",
            )
        ]
    return [
        Error(
            f"Key {place} of ENCRYPTION_KEYS is not a Fernet key.",
            hint=f"A key is 32 bytes in URL-safe base64, several are separated by commas, newest first. {make_one}",
            id="stigg_zuora.E004",
        )
        for place, key in enumerate(settings.ENCRYPTION_KEYS, start=1)
        if not _is_fernet_key(key)
    ]


@register
def redis_url(app_configs: Apps, **_: Any) -> Found:
    parts = urlsplit(settings.REDIS_URL)
    if (parts.scheme in {"redis", "rediss"} and parts.hostname) or (parts.scheme == "unix" and parts.path):
        return []
    return [
        Error(
            "REDIS_URL is not the address of a Redis.",
            hint="Write redis://host:6379/0, rediss://host:6379/0 (TLS) or unix:///path/to/redis.sock.",
            id="stigg_zuora.E005",
        )
    ]


@register
def public_url(app_configs: Apps, **_: Any) -> Found:
    if _is_web_address(settings.PUBLIC_URL):
        return []
    return [
        Error(
            f"PUBLIC_URL is not an address: {settings.PUBLIC_URL!r}.",
            hint="Write where people open this deployment, for example https://billing-sync.example.com.",
            id="stigg_zuora.E006",
        )
    ]


@register
def extra_hosts(app_configs: Apps, **_: Any) -> Found:
    return [
        Error(
            f"{name} holds {host!r}, which is not an address.",
            hint="Write each with its scheme, separated by commas, for example http://127.0.0.1:8900.",
            id="stigg_zuora.E007",
        )
        for name in ("ZUORA_EXTRA_HOSTS", "STIGG_EXTRA_HOSTS")
        for host in getattr(settings, name)
        if not _is_web_address(host)
    ]


@register
def zuora_key_prefix(app_configs: Apps, **_: Any) -> Found:
    if KEY_PREFIX.fullmatch(settings.ZUORA_KEY_PREFIX):
        return []
    return [
        Error(
            f"ZUORA_KEY_PREFIX cannot begin Zuora's keys: {settings.ZUORA_KEY_PREFIX!r}.",
            hint="Use 1 to 12 lower-case letters, digits and single dashes, and begin with a letter other than a, "
            "with which Zuora's own account numbers begin.",
            id="stigg_zuora.E008",
        )
    ]


@register
def positive_numbers(app_configs: Apps, **_: Any) -> Found:
    return [
        Error(
            f"{name} must be more than 0; it is {getattr(settings, name)}.",
            hint=f"Leave {name} out to get its default.",
            id="stigg_zuora.E009",
        )
        for name in POSITIVE
        if getattr(settings, name) <= 0
    ]


@register
def usage_file_dates(app_configs: Apps, **_: Any) -> Found:
    if settings.ZUORA_USAGE_FILE_DATES in {"", "MM/DD/YYYY", "DD/MM/YYYY"}:
        return []
    return [
        Error(
            f"ZUORA_USAGE_FILE_DATES is no format of dates that Zuora reads: {settings.ZUORA_USAGE_FILE_DATES!r}.",
            hint="Write MM/DD/YYYY or DD/MM/YYYY, as the API user's locale in Zuora has it; leave it empty to use no "
            "files.",
            id="stigg_zuora.E012",
        )
    ]


@register
def settle_seconds(app_configs: Apps, **_: Any) -> Found:
    if settings.SYNC_SETTLE_SECONDS >= 0:
        return []
    return [
        Error(
            f"SYNC_SETTLE_SECONDS must not be negative; it is {settings.SYNC_SETTLE_SECONDS}.",
            hint="0 sends every save at once.",
            id="stigg_zuora.E011",
        )
    ]


@register
def claim_outlives_delivery(app_configs: Apps, **_: Any) -> Found:
    if settings.SYNC_CLAIM_SECONDS > settings.ZUORA_TIMEOUT_SECONDS:
        return []
    return [
        Error(
            "SYNC_CLAIM_SECONDS is not longer than ZUORA_TIMEOUT_SECONDS.",
            hint="A job would be given to a second worker while the first one still waits for Zuora's answer.",
            id="stigg_zuora.E010",
        )
    ]


@register
def database(app_configs: Apps, **_: Any) -> Found:
    embedded = settings.REDIS_URL.startswith("unix://")
    if embedded or settings.DEBUG or not settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        return []
    return [
        Warning(
            "The database is SQLite, which takes one writer at a time.",
            hint="Set DATABASE_URL=postgres://user:password@host/name for more than one machine or much traffic.",
            id="stigg_zuora.W001",
        )
    ]


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def _is_web_address(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
