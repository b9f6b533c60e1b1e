"""What holds for every operation: exact numbers, all or nothing, scopes, and nothing that is dropped."""

import json
from typing import Any
from unittest import mock

import httpx
import pytest

from catalog.models import Coupon, CouponAmount, Feature, Plan, Price, Product
from integrations.api import plans as plan_views
from integrations.models import ApiAnswer, Scope
from tests.factories.catalog import AddonFactory, PlanFactory, ProductFactory
from tests.integrations.api.conftest import new_key

pytestmark = pytest.mark.django_db

LARGE = "1234567890123.123456789"


def send(http: httpx.Client, token: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body) if body is not None else None
    return http.request(
        method, path, content=content, headers={"X-API-KEY": token, "Content-Type": "application/json", **headers}
    )


def coupon(**fields: Any) -> str:
    return json.dumps({"id": "ten", "name": "Ten", **fields})


def test_money_passes_with_every_digit(http: httpx.Client, token: str) -> None:
    """No float holds these: 22 digits in, and the same out."""
    body = coupon(amountsOff=[{"amount": 0, "currency": "usd"}]).replace('"amount": 0', f'"amount": {LARGE}')

    answer = send(http, token, "POST", "/api/v1/coupons", body)

    assert answer.status_code == 201
    assert f'"amount": {LARGE},' in answer.text
    assert str(CouponAmount.objects.get().amount) == LARGE


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"percentOff": "10"}, "percentOff: it is no number."),
        ({"percentOff": True}, "percentOff: it is no number."),
        ({"percentOff": 0}, "percentOff: it should be greater than 0."),
        ({"percentOff": 100.1}, "percentOff: it should be less than or equal to 100."),
        ({"percentOff": 1e30}, "percentOff: it has more than 13 digits before the point."),
        ({"percentOff": 10, "durationInMonths": 1.5}, "durationInMonths: it is no whole number."),
        ({"percentOff": 10, "durationInMonths": 2**31}, "durationInMonths: 2147483647 is the most."),
        ({"percentOff": 10, "id": "-x"}, "id: it begins with a letter or a digit"),
        ({"percentOff": 10, "name": ""}, "name: it should have at least 1 character."),
        ({"percentOff": 10, "name": "a\0b"}, "name: it has characters that no database holds"),
        ({"percentOff": 10, "name": "a\ud800"}, "name: "),
        ({"percentOff": 10, "metadata": {"a": 1}}, "metadata.a: it should be a valid string."),
        ({"percentOff": 10, "typo": 1}, "typo: this name is not known here."),
        ({}, "give percentOff or amountsOff: one of the two."),
        ({"percentOff": 10, "amountsOff": [{"amount": 1, "currency": "usd"}]}, "give percentOff or amountsOff"),
        ({"amountsOff": [{"amount": 1, "currency": "USD"}]}, "amountsOff.0.currency: it is no currency, in small"),
        (
            {"amountsOff": [{"amount": 1, "currency": "usd"}, {"amount": 2, "currency": "usd"}]},
            "There is an amount in this currency already",
        ),
    ],
)
def test_bad_input_is_named_and_leaves_nothing(
    http: httpx.Client, token: str, fields: dict[str, Any], message: str
) -> None:
    answer = send(http, token, "POST", "/api/v1/coupons", coupon(**fields), **{"Idempotency-Key": "r-1"})

    assert (answer.status_code, answer.json()["code"]) == (400, "BadUserInput")
    assert answer.json()["message"].startswith(message)
    assert (Coupon.objects.count(), CouponAmount.objects.count(), ApiAnswer.objects.count()) == (0, 0, 0)


def test_everything_that_is_wrong_is_told_at_once(http: httpx.Client, token: str) -> None:
    answer = send(http, token, "POST", "/api/v1/features", {"id": "a b", "featureType": "TEXT"})

    assert [one["path"] for one in answer.json()["errors"]] == ["id", "displayName", "featureType"]
    assert answer.json()["message"].endswith("(and 2 more, see errors)")


def test_a_change_is_all_or_nothing(http: httpx.Client, token: str) -> None:
    """The name is saved before the add-ons are set; the database must not keep one without the other."""
    PlanFactory.create(ref_id="pro", display_name="Pro")
    AddonFactory.create(ref_id="more")
    body = {"displayName": "X", "compatibleAddonIds": ["more"]}

    with mock.patch.object(plan_views, "_data", side_effect=ZeroDivisionError):
        assert send(http, token, "PATCH", "/api/v1/plans/pro", body).status_code == 500

    plan = Plan.objects.get()
    assert (plan.display_name, plan.compatible_addons.count()) == ("Pro", 0)


def test_a_repeated_post_is_answered_as_the_first_was(http: httpx.Client, token: str) -> None:
    body = {"id": "app", "displayName": "App"}
    first, again = (send(http, token, "POST", "/api/v1/products", body, **{"Idempotency-Key": "r-1"}) for _ in range(2))

    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert send(http, token, "POST", "/api/v1/products", body).status_code == 409
    assert Product.objects.count() == 1


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        (Scope.READ, "GET", "/api/v1/features", 200),
        (Scope.READ, "POST", "/api/v1/features", 403),
        (Scope.READ, "PATCH", "/api/v1/products/app", 403),
        (Scope.READ, "DELETE", "/api/v1/plans/pro/draft", 403),
        (Scope.READ, "POST", "/api/v1/usage", 403),
        (Scope.USAGE, "GET", "/api/v1/features", 403),
        (Scope.WRITE, "GET", "/api/v1/features", 200),
    ],
)
def test_a_key_does_what_its_scope_allows(
    http: httpx.Client, scope: Scope, method: str, path: str, status: int
) -> None:
    assert send(http, new_key(scope=scope)[1], method, path, {} if method != "GET" else None).status_code == status


def test_a_method_that_is_not_there_is_told_which_are(http: httpx.Client, token: str) -> None:
    answer = send(http, token, "PUT", "/api/v1/plans/pro", {})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, PATCH")


def test_a_body_where_none_is_read_is_refused(http: httpx.Client, token: str) -> None:
    ProductFactory.create(ref_id="app")

    answer = send(http, token, "POST", "/api/v1/products/app/archive", {"force": True})

    assert answer.json()["message"] == "Nothing in the body means anything here: send none."
    assert Product.objects.get().status == "PUBLISHED"
    assert send(http, token, "POST", "/api/v1/products/app/archive", {}).status_code == 200


def test_a_body_beyond_the_limit_is_not_read(http: httpx.Client, token: str) -> None:
    assert send(http, token, "POST", "/api/v1/features", " " * (4 * 1024 * 1024 + 1)).status_code == 413
    assert Feature.objects.count() == 0


def test_a_thousand_price_periods_are_refused_in_one_sentence(http: httpx.Client, token: str) -> None:
    PlanFactory.create(ref_id="pro", status="DRAFT", pricing_type="")
    period = {"billingPeriod": "MONTHLY", "price": {"amount": 1, "currency": "usd"}}
    model = {"billingModel": "FLAT_FEE", "pricePeriods": [period] * 1001}

    answer = send(
        http, token, "PATCH", "/api/v1/plans/pro", {"charges": {"pricingType": "PAID", "pricingModels": [model]}}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["path"] == "charges.pricingModels.0.pricePeriods"
    assert Price.objects.count() == 0
