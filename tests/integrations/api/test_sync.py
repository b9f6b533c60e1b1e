"""Stigg's own client asks for the usage of a subscription to be sent."""

from functools import partial
from typing import Any

import httpx
import pytest
import stigg

from integrations import usage_sync
from integrations.models import AuditEntry, Connection, Scope, UsageRecord, UsageState
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.api.conftest import BASE_URL, new_key
from tests.integrations.usage_world import UsageWorld, tenant

__all__ = ["tenant"]  # a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _to_the_standin(tenant: UsageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    to_standin = partial(usage_sync.sync_now, open_client=lambda _: tenant.world.client)
    monkeypatch.setattr(usage_sync, "sync_now", to_standin)


def test_usage_is_in_zuora_when_the_answer_comes_and_once(tenant: UsageWorld, client: stigg.Stigg) -> None:
    subscription = tenant.sell("s1")
    tenant.use(subscription, 7)
    tenant.advance(minutes=1)

    first = client.v1.subscriptions.usage.sync("s1")
    again = client.v1.subscriptions.usage.sync("s1", extra_headers={"Idempotency-Key": "r-1"})

    assert (first.data.triggered, again.data.triggered) == (True, True)
    assert tenant.quantities() == [7]
    who = list(AuditEntry.objects.filter(action="sync usage").values_list("actor_name", flat=True))
    assert who == ["API key Example application"] * 2


def test_what_failed_before_is_not_said_to_be_sent(tenant: UsageWorld, client: stigg.Stigg) -> None:
    tenant.use(tenant.sell("s1"), 7)
    client.v1.subscriptions.usage.sync("s1")
    UsageRecord.objects.update(state=UsageState.FAILED)

    assert client.v1.subscriptions.usage.sync("s1").data.triggered is False


def test_what_cannot_be_sent_is_said(tenant: UsageWorld, client: stigg.Stigg) -> None:
    tenant.sell("s1", sync=False)

    with pytest.raises(stigg.BadRequestError) as error:
        client.v1.subscriptions.usage.sync("s1")

    body: Any = error.value.body
    assert body["code"] == "BillingIntegrationMissing"
    assert body["message"].startswith("Usage waits for the subscription")


def test_without_a_connection_nothing_can_be_sent(tenant: UsageWorld, client: stigg.Stigg) -> None:
    Connection.objects.update(removed_at=tenant.now)
    SubscriptionFactory.create(ref_id="s1")

    with pytest.raises(stigg.BadRequestError, match="Zuora is not connected"):
        client.v1.subscriptions.usage.sync("s1")


@pytest.mark.parametrize("ref_id", ["nobody", "a\0b"])
def test_an_unknown_subscription_is_a_not_found_error(client: stigg.Stigg, ref_id: str) -> None:
    with pytest.raises(stigg.NotFoundError):
        client.v1.subscriptions.usage.sync(ref_id)


def test_a_key_for_usage_only_may_not(http: httpx.Client) -> None:
    narrow = stigg.Stigg(api_key=new_key(scope=Scope.USAGE)[1], base_url=BASE_URL, http_client=http)

    with pytest.raises(stigg.PermissionDeniedError) as error:
        narrow.v1.subscriptions.usage.sync("s1")

    assert error.value.body["code"] == "AccessDeniedError"  # type: ignore[index]
