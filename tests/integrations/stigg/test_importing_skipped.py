"""What an import from Stigg skips, and why; and what goes on all the same."""

from typing import Any

import pytest

from catalog.models import PriceAmount
from customers.models import Customer
from subscriptions.models import Subscription
from tests.integrations.stigg.cloud import Cloud
from tests.integrations.stigg.imports import lines, run

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("account")
def test_a_version_that_changed_unseen_is_skipped_with_a_sentence(cloud: Cloud) -> None:
    run()
    cloud.charges["pro"][0]["price"] = {"amount": 1, "currency": "eur"}
    operation = run()
    assert lines(operation) == [
        (
            "plan:pro",
            "skipped",
            (
                "Stigg's version 1 has other charges than the one that is sold here: publish a new version in Stigg, "
                "so that nobody's price changes unseen."
            ),
        )
    ]
    assert PriceAmount.objects.get().amount == 49


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("kind", "fields", "reason"),
    [
        (
            "customers",
            {"email": "nobody"},
            "email: Enter a valid email address.",
        ),
        (
            "subscriptions",
            {"customerId": "nobody"},
            "Its customer nobody is not here: see why that was skipped.",
        ),
        (
            "subscriptions",
            {"status": "CANCELED"},
            "It ended before it was imported: there is nothing to bill.",
        ),
        (
            "subscriptions",
            {"minimumSpend": {"amount": 5, "currency": "eur"}},
            "It has a minimum spend, which has no counterpart in Zuora: bill that by hand.",
        ),
        (
            "subscriptions",
            {"prices": [{"baseCharge": True, "amount": 10, "currency": "usd"}]},
            "It pays in USD, and Acme is billed in EUR: make them the same in Stigg.",
        ),
        (
            "plans",
            {"productId": "elsewhere"},
            "Its product elsewhere is not here: see why that was skipped.",
        ),
        (
            "plans",
            {},
            "Other is PAID and has no prices: add one, or make it FREE or CUSTOM.",
        ),
        (
            "coupons",
            {"type": "FIXED", "percentOff": None},
            "A FIXED coupon takes an amount off: give one per currency.",
        ),
    ],
)
def test_what_cannot_be_taken_is_skipped_by_name_and_the_rest_goes_on(
    cloud: Cloud, kind: str, fields: dict[str, Any], reason: str
) -> None:
    cloud.add(kind, "other", **fields)
    cloud.add("customers", "last")
    operation = run()
    assert lines(operation) == [(f"{kind[:-1]}:other", "skipped", reason)]
    assert (operation.failed, Customer.objects.filter(ref_id="last").count()) == (1, 1)


@pytest.mark.usefixtures("account")
def test_seats_that_stigg_does_not_tell_are_not_guessed(cloud: Cloud) -> None:
    price = {"amount": 8, "currency": "eur"}
    cloud.charge("pro", 8, billingModel="PER_UNIT", featureId="seats", price=price)
    cloud.add("subscriptions", "s1")
    operation = run()
    assert [text for _, _, text in lines(operation)] == [
        (
            "Stigg's API does not say how many seats it has, and a guess would be a wrong invoice: make the "
            "subscription here with its quantities, then import again."
        )
    ]
    assert Subscription.objects.count() == 0
