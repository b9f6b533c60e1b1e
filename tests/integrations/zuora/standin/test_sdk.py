"""Zuora's own client, unmodified, drives every operation that the stand-in has and it knows.

The calls are made in `sdk_calls.py`, the models are checked in `sdk.py`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from integrations.zuora.standin.app import create_app
from tests.integrations.zuora.standin.conftest import START
from tests.integrations.zuora.standin.sdk import (
    CLIENT_ID,
    CLIENT_SECRET,
    Sdk,
    in_standin,
    operations,
    served,
    zuora_sdk,
)
from tests.integrations.zuora.standin.sdk_calls import (
    accounts,
    billing,
    catalog,
    events,
    object_queries,
    orders,
    subscriptions,
    unused_catalog,
    usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    app = create_app(start=START, clients={CLIENT_ID: CLIENT_SECRET}, switches={"api_version": "2025-08-12"})
    with served(app) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = zuora_sdk()
        configuration = package.Configuration(host=url)
        client = package.zuora_client.ZuoraClient(CLIENT_ID, CLIENT_SECRET, None, configuration)
        token = package.OAuthApi(client.api_client).create_token(CLIENT_ID, CLIENT_SECRET, "client_credentials")
        client.add_default_header("Authorization", f"Bearer {token.access_token}")
        client.add_default_header("X-Zuora-WSDL-Version", "141")
        made = Sdk(client, app)
        made.covered.add("o_auth_api.create_token")
        yield made
        client.api_client.rest_client.pool_manager.clear()


@pytest.mark.processes
def test_the_sdk_drives_every_operation_that_the_standin_has(
    sdk: Sdk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, fee, _ = catalog(sdk)
    unused_catalog(sdk)
    accounts(sdk)
    orders(sdk, fee)
    subscriptions(sdk)
    usage(sdk, tmp_path)
    billing(sdk)
    events(sdk)
    sdk.call(
        "usage_api.create_usage",
        {"AccountNumber": "cust-1", "UOM": "calls", "Quantity": 1, "StartDateTime": "2026-05-01T00:00:00Z"},
    )
    object_queries(sdk)
    known = operations()
    rest = sorted(set(known) - sdk.covered)
    with capsys.disabled():
        print(f"\nzuora-sdk operations driven: {len(sdk.covered)} of {len(known)}. Not driven: {', '.join(rest)}")  # noqa: T201
    assert sdk.wrong == []
    assert [one for one in rest if in_standin(*known[one])] == []
