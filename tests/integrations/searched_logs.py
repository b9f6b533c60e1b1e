"""A browser whose pages look at ten lines at a time, and the way from one to the next."""

from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from integrations.models import Connection
from integrations.views import looking_back
from tests.browser.scene import people

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def browser(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Client:
    del connection
    monkeypatch.setattr(looking_back, "LOOKED_AT", 10)
    logged_in = Client()
    logged_in.force_login(people()["Viewer"])
    return logged_in


def follow(browser: Client, response: Any, rel: str) -> Any:
    """Press the button, whatever it is called."""
    link = unescape(response.content.decode().split(f'rel="{rel}" href="')[1].split('"')[0])
    return browser.get(response.request["PATH_INFO"], {k: v[0] for k, v in parse_qs(urlsplit(link).query).items()})
