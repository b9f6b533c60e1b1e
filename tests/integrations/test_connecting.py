from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from catalog.models import BillingModel
from integrations import connecting
from integrations.connecting import ConnectionRefused
from integrations.models import AuditEntry, Connection, Delivery, EntityKind, JobState, Operation, SyncJob, SyncRecord
from integrations.zuora.doctor import STEPS, Examination, Step, drained, examination
from integrations.zuora.standin.app import StandIn
from tests.factories.catalog import FeatureFactory, PlanFactory, price
from tests.integrations.conftest import CUSTOM_FIELDS, REST_URL
from tests.tenant import put_behind_forms

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def tenant(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Every address leads to the tenant in process."""
    put_behind_forms(standin, monkeypatch)
    return standin


@pytest.fixture
def actor() -> User:
    return User.objects.create_user("ada")


def connect(actor: User, **values: Any) -> Connection:
    work = connecting.connect(
        **{
            "tenant_url": "https://test.zuora.com/apps/",
            "client_id": "demo-client",
            "client_secret": "demo-secret",
            "sync_customers": True,
            "sync_subscriptions": True,
            "actor": actor,
            "now": NOW,
            **values,
        }
    )
    return drained(work)


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))


def test_connecting_keeps_what_the_examination_found_and_looks_at_everything(actor: User) -> None:
    PlanFactory.create()
    made = connect(actor, sync_customers=False)
    made.refresh_from_db()
    assert (made.rest_url, made.tenant_id, made.client_id, made.client_secret) == (
        REST_URL,
        "10042",
        "demo-client",
        "demo-secret",
    )
    assert (made.key_prefix, made.sync_customers, made.sync_subscriptions) == ("stigg", False, True)
    assert made.findings["custom_fields"] == CUSTOM_FIELDS
    assert (made.connected_at, made.credentials_since) == (NOW, NOW)
    assert [(one.title, one.total, one.state) for one in Operation.objects.all()] == [("Sync everything", 1, "WAITING")]
    assert actions() == ["connect", "sync everything"]


def test_the_units_that_the_catalog_needs_are_offered_where_we_may_not_make_them(actor: User, tenant: StandIn) -> None:
    FeatureFactory.create(units_plural="never sold")
    sold = FeatureFactory.create(units_plural="API  calls")
    price(PlanFactory.create(), billing_model=BillingModel.USAGE_BASED, feature=sold)
    tenant.control.set_switches(settings_api=False)
    units = connect(actor).findings["steps"][-1]
    assert (units["name"], units["offer"]) == ("Units of measure", "API calls, 8 decimal places, rounded up")


def test_the_secret_is_encrypted_in_the_database(actor: User) -> None:
    made = connect(actor)
    stored = Connection.objects.filter(pk=made.pk).extra(select={"raw": "client_secret"}).values_list("raw", flat=True)
    assert "demo-secret" not in stored[0]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"client_secret": "wrong"}, "refuses this client ID and secret"),
        ({"tenant_url": "https://zuora.evil.example"}, "it is not one of Zuora's data centres"),
        ({"tenant_url": "http://rest.test.zuora.com"}, "it must begin with https://"),
    ],
)
def test_a_wrong_secret_or_host_is_refused_with_the_reason_and_nothing_is_saved(
    actor: User, values: dict[str, str], said: str
) -> None:
    with pytest.raises(ConnectionRefused, match=said):
        connect(actor, **values)
    assert (Connection.objects.count(), SyncJob.objects.count(), actions()) == (0, 0, [])


def test_a_foreign_host_is_not_even_asked(actor: User, tenant: StandIn) -> None:
    with pytest.raises(ConnectionRefused):
        connect(actor, tenant_url="https://zuora.evil.example")
    assert tenant.control.requests() == []


def test_a_deactivated_user_is_refused(actor: User, tenant: StandIn) -> None:
    tenant.control.set_switches(user_active=False)
    with pytest.raises(ConnectionRefused, match="refuses this client ID and secret"):
        connect(actor)
    assert Connection.objects.count() == 0


def test_a_second_tenant_is_refused_while_one_is_connected(actor: User, tenant: StandIn) -> None:
    connect(actor)
    tenant.control.clear_log()
    with pytest.raises(ConnectionRefused, match="is connected"):
        connect(actor)
    assert (Connection.objects.count(), tenant.control.requests()) == (1, [])


def test_whoever_connects_second_at_the_same_time_is_refused(actor: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*, now: datetime, **asked: Any) -> Generator[Step, None, Examination]:
        Connection.objects.create(
            rest_url=REST_URL, tenant_id="quicker", key_prefix="stigg", connected_at=now, credentials_since=now
        )
        return (yield from examination(now=now, **asked))

    monkeypatch.setattr(connecting, "examination", meanwhile)
    with pytest.raises(ConnectionRefused, match="Another connection was made meanwhile"):
        connect(actor)
    assert [made.tenant_id for made in Connection.objects.all()] == ["quicker"]


def test_reconnecting_to_the_same_tenant_finds_the_old_links(actor: User) -> None:
    old = connect(actor)
    link = SyncRecord.objects.create(
        connection=old, key="plan:pro", kind=EntityKind.PLAN, root_kind=EntityKind.PLAN, root_id=1, zuora_id="a" * 32
    )
    connecting.remove(connection=old, actor=actor, now=NOW)
    later = NOW + timedelta(days=1)
    again = connect(actor, client_id="another-client", now=later)
    assert (again.pk, again.removed_at, again.connected_at) == (old.pk, None, later)
    assert list(again.records.all()) == [link]


def test_another_tenant_starts_afresh(actor: User) -> None:
    old = connect(actor)
    Connection.objects.filter(pk=old.pk).update(tenant_id="another")
    connecting.remove(connection=old, actor=actor, now=NOW)
    assert connect(actor).pk != old.pk


def test_removing_cancels_what_waits_forgets_the_secret_and_keeps_the_links(actor: User) -> None:
    made = connect(actor)
    record = SyncRecord.objects.create(
        connection=made, key="plan:pro", kind=EntityKind.PLAN, root_kind=EntityKind.PLAN, root_id=1, zuora_id="a" * 32
    )
    for number, state in enumerate(JobState.values):
        SyncJob.objects.create(
            connection=made, kind="plan", entity_id=number, key="plan:x", state=state, not_before=NOW, created_at=NOW
        )
    waiting = SyncJob.objects.get(state=JobState.WAITING)
    Delivery.objects.create(job=waiting, track_id="made-up", worker="made-up", started_at=NOW)
    connecting.remove(connection=made, actor=actor, now=NOW)
    made.refresh_from_db()
    assert (made.removed_at, made.client_secret) == (NOW, "")
    assert sorted(SyncJob.objects.values_list("state", flat=True)) == ["DONE", "FAILED", "SENDING"]
    assert list(SyncRecord.objects.all()) == [record]
    entry = AuditEntry.objects.get(action="remove")
    assert (entry.actor_name, entry.detail) == ("ada", {"cancelled": 1, "usage_not_sent": 0})


def test_new_credentials_are_tested_and_wake_the_connection(actor: User) -> None:
    made = connect(actor)
    made.mark_down(reason="made up", until=NOW + timedelta(hours=1), now=NOW)
    later = NOW + timedelta(minutes=5)
    work = connecting.change_credentials(
        connection=made, client_id="new-client", client_secret="demo-secret", actor=actor, now=later
    )
    drained(work)
    made.refresh_from_db()
    assert (made.client_id, made.credentials_since, made.down_since, made.paused_until) == (
        "new-client",
        later,
        None,
        None,
    )


def test_credentials_of_another_tenant_are_refused(actor: User) -> None:
    made = connect(actor)
    Connection.objects.filter(pk=made.pk).update(tenant_id="another")
    made.refresh_from_db()
    with pytest.raises(ConnectionRefused, match="These credentials open tenant 10042"):
        drained(
            connecting.change_credentials(
                connection=made, client_id="new-client", client_secret="demo-secret", actor=actor, now=NOW
            )
        )
    made.refresh_from_db()
    assert made.client_id == "demo-client"


def test_wrong_new_credentials_leave_the_old_ones(actor: User) -> None:
    made = connect(actor)
    with pytest.raises(ConnectionRefused):
        drained(
            connecting.change_credentials(
                connection=made, client_id="demo-client", client_secret="wrong", actor=actor, now=NOW
            )
        )
    made.refresh_from_db()
    assert made.client_secret == "demo-secret"


def test_a_switch_has_everything_looked_at_again(actor: User) -> None:
    PlanFactory.create()
    made = connect(actor)
    connecting.switch(
        connection=made,
        sync_customers=False,
        sync_subscriptions=True,
        time_zone="Europe/Berlin",
        actor=actor,
        now=NOW,
    )
    made.refresh_from_db()
    assert made.sync_customers is False
    # What had been looked at under the other switch is looked at again.
    assert list(Operation.objects.values_list("kind", "state")) == [("backfill", "WAITING"), ("backfill", "CANCELLED")]
    assert AuditEntry.objects.get(action="switch").detail == {
        "sync_customers": False,
        "sync_subscriptions": True,
        "time_zone": "Europe/Berlin",
    }


def test_testing_again_keeps_new_findings_and_a_failed_test_changes_nothing(actor: User, tenant: StandIn) -> None:
    made = connect(actor)
    tenant.control.set_switches(custom_fields={"Product": [], "Account": [], "Subscription": []})
    drained(connecting.examine_again(connection=made, actor=actor, now=NOW))
    made.refresh_from_db()
    nothing: dict[str, list[str]] = {"Product": [], "Account": [], "Subscription": []}
    assert made.findings["custom_fields"] == nothing
    tenant.control.set_switches(user_active=False, custom_fields=CUSTOM_FIELDS)
    with pytest.raises(ConnectionRefused, match="refuses this client ID and secret"):
        drained(connecting.examine_again(connection=made, actor=actor, now=NOW))
    made.refresh_from_db()
    assert made.findings["custom_fields"] == nothing


def test_each_step_can_be_watched_and_nothing_is_saved_before_the_last(actor: User) -> None:
    work = connecting.connect(
        tenant_url="https://test.zuora.com", client_id="demo-client", client_secret="demo-secret",
        sync_customers=True, sync_subscriptions=True, actor=actor, now=NOW,
    )  # fmt: skip
    for name in STEPS:
        assert next(work).name == name
        assert (Connection.objects.count(), actions()) == (0, [])
    with pytest.raises(StopIteration) as end:
        next(work)
    assert Connection.objects.get() == end.value.value


def test_who_goes_away_while_it_is_tested_has_saved_nothing(actor: User) -> None:
    work = connecting.connect(
        tenant_url="https://test.zuora.com", client_id="demo-client", client_secret="demo-secret",
        sync_customers=True, sync_subscriptions=True, actor=actor, now=NOW,
    )  # fmt: skip
    next(work)
    work.close()
    assert (Connection.objects.count(), actions()) == (0, [])
