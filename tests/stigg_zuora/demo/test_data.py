from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import stigg
import time_machine
from django.db import transaction
from pytest_django.plugin import DjangoDbBlocker

from catalog.models import Price
from customers.models import Customer
from integrations.facts import verdict_on_customer, verdict_on_subscription
from integrations.models import Connection
from stigg_zuora.demo import database, load, people, pricelists, usage
from stigg_zuora.demo.expectation import expect
from subscriptions.models import Subscription
from tests.integrations.api.conftest import BASE_URL, in_process, new_key
from usage.models import UsageEvent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAYMENT_METHODS = {customer.ref: f"{number:032x}" for number, customer in enumerate(people.CUSTOMERS) if customer.pays}


@pytest.fixture(scope="module")
def _sent(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The data, loaded once for all tests, through the API in process; each test undoes its own changes."""
    with django_db_blocker.unblock(), transaction.atomic():
        token = new_key()[1]
        with in_process() as http, time_machine.travel(NOW, tick=False):
            client = stigg.Stigg(api_key=token, base_url=BASE_URL, http_client=http)
            load.load(client, payment_methods=PAYMENT_METHODS, now=NOW)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def loaded(_sent: None, db: None) -> Connection:
    return Connection.objects.create(
        rest_url="http://127.0.0.1:8900",
        tenant_id="1",
        client_id="made-up",
        client_secret="made-up",
        key_prefix="stigg",
        connected_at=NOW,
        credentials_since=NOW,
    )


def test_every_rule_that_keeps_something_out_is_met_once_or_more(loaded: Connection) -> None:
    customers = [verdict_on_customer(row, connection=loaded) for row in Customer.objects.all()]
    subscriptions = [verdict_on_subscription(row, connection=loaded) for row in Subscription.objects.all()]
    failed = {rule.rule for verdict in (*customers, *subscriptions) for rule in verdict.rules if not rule.passed}
    forced = {verdict.forced for verdict in (*customers, *subscriptions) if verdict.forced}

    assert failed == {
        "has_a_subscription",
        "more_than_free_plans",
        "more_than_trials",
        "more_than_custom_prices",
        "has_billing_information",
        "has_a_payment_method",
        "not_a_free_plan",
        "not_a_custom_price",
        "not_a_trial",
        "not_ended",
    }
    assert forced == {
        "billing ID OPAL-MUSEUM-1",
        "billing ID QUARRY-SOUND-1",
        "billing ID QUARRY-SOUND-2019",
        "metadata ZUORA__CostCenter",
        "metadata ZUORA__AutoRenew, ZUORA__InitialTerm, ZUORA__TermType",
    }


def test_the_expectation_agrees_with_the_rules_on_who_is_left_out(loaded: Connection) -> None:
    left_out = {
        *(
            f"customer:{r.ref_id}"
            for r in Customer.objects.all()
            if not verdict_on_customer(r, connection=loaded).syncs
        ),
        *(
            f"subscription:{row.ref_id}"
            for row in Subscription.objects.all()
            if not verdict_on_subscription(row, connection=loaded).syncs
        ),
    }

    expected = expect(public_url="http://console.example")

    assert expected.left_out == left_out
    assert expected.failing == {"plan:typebot-starter": "sold in packages of 500"}
    assert expected.waiting == {
        "subscription:ember-lane-operator",
        "subscription:fernhill-clinic-operator",
        "subscription:rowan-bakery-starter",
    }


@pytest.mark.usefixtures("loaded")
def test_the_price_lists_show_every_shape() -> None:
    prices = Price.objects.prefetch_related("amounts__tiers")
    shapes = {
        (
            price.billing_model,
            price.billing_period,
            price.tiers_mode,
            tuple(row.currency for row in price.amounts.all()),
        )
        for price in prices
    }

    assert shapes == {
        ("FLAT_FEE", "MONTHLY", "", ("EUR", "USD")),
        ("PER_UNIT", "ANNUALLY", "", ("EUR", "USD")),
        ("PER_UNIT", "ANNUALLY", "VOLUME", ("EUR", "USD")),
        ("PER_UNIT", "MONTHLY", "", ("EUR", "USD")),
        ("PER_UNIT", "MONTHLY", "", ("USD",)),
        ("PER_UNIT", "MONTHLY", "VOLUME", ("EUR", "USD")),
        ("USAGE_BASED", "MONTHLY", "", ("EUR", "USD")),
        ("USAGE_BASED", "MONTHLY", "", ("USD",)),
        ("USAGE_BASED", "MONTHLY", "VOLUME", ("EUR", "USD")),
    }


def test_every_price_list_names_its_source() -> None:
    assert [bool(price_list.source) for price_list in pricelists.PRICE_LISTS] == [True, True, True]


@pytest.mark.usefixtures("loaded")
def test_loading_is_noticed_and_a_second_load_changes_nothing() -> None:
    assert database.is_loaded()
    before = list(Subscription.objects.values()), list(Price.objects.values()), list(Customer.objects.values())
    with in_process() as http, time_machine.travel(NOW, tick=False):
        client = stigg.Stigg(api_key=new_key()[1], base_url=BASE_URL, http_client=http)
        load.load(client, payment_methods=PAYMENT_METHODS, now=NOW)
    assert before == (
        list(Subscription.objects.values()),
        list(Price.objects.values()),
        list(Customer.objects.values()),
    )


@pytest.mark.usefixtures("loaded")
def test_two_days_of_usage_are_told_once_and_expected_hour_by_hour() -> None:
    usage.report(now=NOW)
    usage.report(now=NOW)

    assert UsageEvent.objects.count() == 2 * 2 * usage.HOURS
    held = expect(public_url="http://console.example").held["usage"]
    assert len(held) == 2 * usage.HOURS
    assert held["stigg--juniper-games-pro--plan--typebot-pro--typebot-chat--20261123t110000z"] == {
        "account": "stigg--juniper-games",
        "quantity": "87",
        "begins": "2026-11-23T11:00:00+00:00",
        "unit": "chats",
    }
