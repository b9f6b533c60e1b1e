"""Browsers in which somebody is logged in, while a tenant is connected."""

import pytest
from django.test import Client

from integrations.models import Connection
from tests.browser.scene import people


@pytest.fixture
def viewers(connection: Connection) -> Client:
    del connection
    return _of("Viewer")


@pytest.fixture
def operators(connection: Connection) -> Client:
    del connection
    return _of("Operator")


def _of(role: str) -> Client:
    logged_in = Client()
    logged_in.force_login(people()[role])
    return logged_in
