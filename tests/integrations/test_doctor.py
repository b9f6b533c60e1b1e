from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from integrations.zuora.auth import Credentials, Identity
from integrations.zuora.checks import time_zone
from integrations.zuora.client import Client
from integrations.zuora.doctor import STEPS, Examination, Outcome, Step, examine
from integrations.zuora.errors import Forbidden
from integrations.zuora.standin.app import StandIn
from tests.integrations.conftest import CUSTOM_FIELDS
from tests.tenant import open_tenant


def look(app: StandIn, **switches: object) -> Examination:
    app.control.set_switches(**switches)
    return examine(client=open_tenant(app), now=timezone.now())


def outcomes(seen: Examination) -> dict[str, str]:
    # The stand-in has no clock of its own in process: a server's answers carry one. An empty tenant shows no time.
    return {step.name: step.outcome.value for step in seen.steps if step.name not in {"Clock", "Time zone"}}


def step(seen: Examination, name: str) -> Step:
    return next(one for one in seen.steps if one.name == name)


def test_a_tenant_that_has_everything_passes_every_step(standin: StandIn) -> None:
    seen = look(standin)
    assert [one.name for one in seen.steps] == list(STEPS)
    assert set(outcomes(seen).values()) == {"passed"}
    assert seen.ok
    assert seen.tenant_id == "10042"
    assert {name: seen.findings[name] for name in ("custom_fields", "settings_api")} == {
        "custom_fields": CUSTOM_FIELDS,
        "settings_api": True,
    }


def test_an_examination_changes_nothing_in_the_tenant(standin: StandIn) -> None:
    tables = ("Product", "Account", "Subscription", "Order", "UnitOfMeasure")
    before = {table: standin.control.rows(table) for table in tables}
    look(standin)
    assert {table: standin.control.rows(table) for table in tables} == before


def test_a_wrong_secret_fails_at_the_credentials_and_tries_nothing_more(standin: StandIn) -> None:
    seen = examine(client=open_tenant(standin, secret="wrong"), now=timezone.now())
    assert outcomes(seen) == {"Host": "passed", "Credentials": "failed", "Tenant": "skipped"}
    assert "wrong" not in step(seen, "Credentials").saw
    assert (seen.ok, seen.tenant_id, seen.findings) == (False, "", {})


def test_a_deactivated_user_fails_at_the_credentials_with_the_cure(standin: StandIn) -> None:
    seen = look(standin, user_active=False)
    assert step(seen, "Credentials").outcome is Outcome.FAILED
    assert "check in Zuora that the API user is active" in step(seen, "Credentials").cure


def test_a_host_that_does_not_answer_fails_at_the_host(standin: StandIn) -> None:
    standin.control.add_fault("reset", path="/oauth/token")
    seen = examine(client=open_tenant(standin), now=timezone.now())
    assert outcomes(seen) == {"Host": "failed", "Credentials": "skipped", "Tenant": "skipped"}


def test_a_tenant_without_orders_fails_at_orders(standin: StandIn) -> None:
    seen = look(standin, orders=False)
    assert [name for name, outcome in outcomes(seen).items() if outcome != "passed"] == ["Orders"]
    assert "ask Zuora's support for Orders" in step(seen, "Orders").cure
    assert not seen.ok


def test_a_user_who_may_not_write_fails_at_writing(standin: StandIn) -> None:
    seen = look(standin, api_write=False)
    trouble = {name: outcome for name, outcome in outcomes(seen).items() if outcome != "passed"}
    assert trouble == {"Writing": "failed", "Orders": "skipped"}, "nobody is sent to Zuora's support for Orders"
    assert "API Write Access" in step(seen, "Writing").cure


@pytest.mark.parametrize(
    ("path", "name", "skipped"), [("catalog", "Reading", "Clock"), ("object-query", "Object Query", "Time zone")]
)
def test_what_passes_by_itself_is_not_to_be_cured_by_roles(
    standin: StandIn, path: str, name: str, skipped: str
) -> None:
    standin.control.add_fault("status", path=path, status=503)
    seen = examine(client=open_tenant(standin), now=timezone.now())
    assert [one for one, outcome in outcomes(seen).items() if outcome != "passed"] == [name]
    assert (step(seen, name).outcome, step(seen, skipped).outcome) == (Outcome.FAILED, Outcome.SKIPPED)
    assert step(seen, name).cure == (
        "That passes by itself as a rule: test again in a few minutes, and ask Zuora's support if it stays."
    )


def test_missing_custom_fields_are_named_and_do_not_refuse_the_tenant(standin: StandIn) -> None:
    seen = look(standin, custom_fields={"Product": [], "Account": ["stiggEntityUrl__c"], "Subscription": []})
    missing = (
        "Product: stiggEntityUrl, Account: stiggCustomerId, Subscription: stiggEntityUrl,"
        " Subscription: stiggCustomerId, Subscription: stiggResourceId"
    )
    assert step(seen, "Custom fields") == Step(
        "Custom fields",
        Outcome.WARNING,
        f"Missing: {missing}. The sync works without; these fields are left out.",
        "In Zuora, open Settings > Billing > Manage Custom Fields, and add these fields. Zuora adds the __c. Then test"
        " the connection again.",
        "\n".join(f"{field}, Text, length 255, indexed" for field in missing.split(", ")),
    )
    assert seen.ok
    assert seen.findings["custom_fields"] == {"Product": [], "Account": ["stiggEntityUrl__c"], "Subscription": []}


def test_units_are_read_by_query_where_settings_are_closed(standin: StandIn) -> None:
    seen = look(standin, settings_api=False)
    assert step(seen, "Units of measure").outcome is Outcome.WARNING
    assert "can be read, but not added" in step(seen, "Units of measure").saw
    assert (seen.ok, seen.findings["settings_api"]) == (True, False)


def test_units_that_the_catalog_needs_and_the_tenant_lacks_are_named(standin: StandIn) -> None:
    client, there = open_tenant(standin), "GB"
    body = {
        "name": there,
        "displayAs": there,
        "precision": 2,
        "roundingMode": "Up",
        "active": True,
        "usageLogFileLabel": there,
    }
    client.create_unit_of_measure(body, idempotency_key="made-up")
    standin.control.set_switches(settings_api=False)
    lacking = step(examine(client=client, now=timezone.now(), units=["seats", there, "calls"]), "Units of measure")
    assert lacking.offer == "calls, 8 decimal places, rounded up\nseats, 8 decimal places, rounded up"
    whole = step(examine(client=client, now=timezone.now(), units=[there]), "Units of measure")
    assert (whole.offer, whole.cure.partition(".")[0]) == ("", "All that the catalog needs today are there")


class Answering(Client):
    """A tenant with a clock, an identity, or a permission of the test's own."""

    said_at: datetime | None = None
    who = Identity("10042", ("entity",), "user")

    def identify(self) -> Identity:
        return self.who

    def check_connection(self) -> datetime | None:
        return self.said_at


def answering(app: StandIn) -> Answering:
    opened = open_tenant(app)
    return Answering(
        Credentials("https://rest.test.zuora.com", "demo-client", "demo-secret"), session=opened._wire.session
    )


@pytest.mark.parametrize(("seconds", "outcome"), [(0, "passed"), (120, "passed"), (121, "warning"), (-121, "warning")])
def test_a_clock_that_differs_by_more_than_two_minutes_is_a_warning(
    standin: StandIn, seconds: int, outcome: str
) -> None:
    client, now = answering(standin), timezone.now()
    client.said_at = now + timedelta(seconds=seconds)
    assert step(examine(client=client, now=now), "Clock").outcome == outcome


def test_a_token_that_names_no_tenant_is_a_warning(standin: StandIn) -> None:
    client = answering(standin)
    client.who = Identity("", (), "user")
    seen = examine(client=client, now=timezone.now())
    assert (step(seen, "Tenant").outcome, seen.tenant_id) == (Outcome.WARNING, "")


def test_a_catalog_that_may_not_be_read_names_the_roles(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Client) -> None:
        raise Forbidden("made up: no permission")

    monkeypatch.setattr(Client, "check_connection", refuse)
    reading = step(examine(client=open_tenant(standin), now=timezone.now()), "Reading")
    assert (reading.outcome, reading.saw) == (Outcome.FAILED, "made up: no permission")
    assert "Zuora Billing Standard User" in reading.cure


@pytest.mark.parametrize(
    ("chosen", "there", "outcome", "saw"),
    [
        ("Europe/Berlin", "Europe/Berlin", "passed", "Europe/Berlin fits the times that Zuora writes."),
        ("Europe/Paris", "Europe/Berlin", "passed", "Europe/Paris fits the times that Zuora writes."),
        ("UTC", "UTC", "passed", "UTC fits the times that Zuora writes."),
        (
            "UTC",
            "America/Los_Angeles",
            "warning",
            "Zuora wrote 2026-03-01T04:00-08:00; in UTC it was 2026-03-01T12:00+00:00.",
        ),
    ],
)
def test_the_time_zone_is_compared_with_a_time_that_zuora_wrote(
    standin: StandIn, chosen: str, there: str, outcome: str, saw: str
) -> None:
    standin.control.set_switches(time_zone=there)
    standin.tenant.clock.stop_at(datetime(2026, 3, 1, 12, tzinfo=UTC))
    account = standin.tenant.created(Name="Made up", AccountNumber="A-1")
    compared = time_zone(account, chosen)
    assert (compared.outcome.value, compared.saw) == (outcome, saw)


@pytest.mark.parametrize(
    "row", [{}, {"createdDate": None}, {"createdDate": "2026-03-01T12:00:00"}, {"createdDate": "2026-03-01T12:00:00Z"}]
)
def test_a_time_that_tells_no_zone_is_not_taken_for_one(row: dict[str, str]) -> None:
    compared = time_zone(row, "Europe/Berlin")
    assert compared.outcome is Outcome.WARNING
    assert "Manage Tenant Profile" in compared.cure
