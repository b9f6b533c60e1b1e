"""Settings > API: every operation, every schema, and what is not done."""

import pytest
from django.test import Client
from django.urls import reverse

from integrations.api.openapi import document
from integrations.api.registry import BUILT, KNOWN
from tests.browser.scene import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client: Client) -> str:
    client.force_login(people()["Viewer"])
    return client.get(reverse("api_docs")).content.decode()


def test_it_shows_every_operation_that_is_known(page: str) -> None:
    assert [one.path for one in KNOWN if one.path not in page] == []
    assert [one.name for one in BUILT if f'id="{one.name}"' not in page] == []


def test_every_link_to_a_schema_leads_somewhere(page: str) -> None:
    linked = {part.split('"')[0] for part in page.split('href="#schema-')[1:]}

    assert [name for name in linked if f'id="schema-{name}"' not in page] == []
    assert {"PlanIn", "PlanAnswer", "CouponPage", "Error"} <= linked


def test_the_document_is_there_for_whoever_asks(client: Client) -> None:
    answer = client.get(reverse("openapi"))

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == document()
