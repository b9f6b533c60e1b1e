"""Usage by Stigg's own client: its calls, what it makes of our answers, and the errors that it raises."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import stigg
from pytest_django import DjangoAssertNumQueries
from pytest_django.live_server_helper import LiveServer

from catalog.models import Feature, MeterType
from customers.models import Customer
from integrations.models import Scope
from tests.factories.subscriptions import SubscriptionFactory
from tests.factories.usage import NOON, MeteredFeatureFactory, MeterFactory, UsageEventFactory
from tests.integrations.api.conftest import new_key
from usage.models import DirtyHour, UsageEvent

pytestmark = [
    pytest.mark.usefixtures("_noon", "customer", "feature"),
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # the SDK calls its own v1 operation so
]

ONE: Any = {"customer_id": "acme", "feature_id": "api-calls", "value": 3, "idempotency_key": "k1"}
EVENT: Any = {"customer_id": "acme", "event_name": "upload", "idempotency_key": "e1"}
START = datetime(2026, 3, 1, tzinfo=UTC)


class TestReporting:
    def test_usage_is_reported_and_answered_in_the_order_of_the_request(self, client: stigg.Stigg) -> None:
        answer = client.v1.usage.report(
            usages=[
                ONE | {"created_at": NOON - timedelta(days=3), "resource_id": "site-1", "dimensions": {"eu": True}},
                ONE | {"value": 2.5, "idempotency_key": "k0", "update_behavior": "SET"},
            ]
        )

        first, second = UsageEvent.objects.order_by("pk")
        assert [one.to_dict(mode="json") for one in answer.data] == [
            {
                "id": str(first.pk),
                "customerId": "acme",
                "featureId": "api-calls",
                "resourceId": "site-1",
                "value": 3.0,
                "timestamp": "2026-03-07T12:00:00Z",
                "createdAt": "2026-03-10T12:00:00Z",
            },
            {
                "id": str(second.pk),
                "customerId": "acme",
                "featureId": "api-calls",
                "resourceId": None,
                "value": 2.5,
                "timestamp": "2026-03-10T12:00:00Z",
                "createdAt": "2026-03-10T12:00:00Z",
            },
        ]
        assert (first.value, first.update_behavior, first.dimensions) == (Decimal(3), "DELTA", {"eu": True})
        assert (second.value, second.update_behavior, second.dimensions) == (Decimal("2.5"), "SET", {})

    def test_the_newer_operation_does_the_same(self, client: stigg.Stigg) -> None:
        answer = client.v2.usage.report(usages=[ONE])

        assert [(one.id, one.value) for one in answer.data.usages] == [(str(UsageEvent.objects.get().pk), 3)]
        assert answer.data.credits is None

    def test_a_repeated_report_is_answered_as_the_first_was(self, client: stigg.Stigg) -> None:
        first = client.v1.usage.report(usages=[ONE])
        again = client.v1.usage.report(usages=[ONE | {"value": 9}])

        assert again == first
        assert UsageEvent.objects.count() == 1

    @pytest.mark.parametrize("rows", [1, 3])
    def test_a_batch_costs_as_much_asking_as_one(
        self, rows: int, client: stigg.Stigg, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client.v1.usage.report(usages=[ONE])
        # The key, the customers, the features, and one transaction: the events, and their hours.
        with django_assert_num_queries(7):
            client.v1.usage.report(
                usages=[
                    ONE | {"idempotency_key": f"n{row}", "created_at": NOON - timedelta(hours=row)}
                    for row in range(rows)
                ]
            )

    def test_raw_events_are_reported(self, client: stigg.Stigg) -> None:
        MeterFactory.create(feature__ref_id="uploads")

        answer = client.v1.events.report(events=[EVENT, EVENT | {"idempotency_key": "e2", "dimensions": {"size": 0.1}}])

        assert answer.data == {}
        assert list(UsageEvent.objects.order_by("pk").values_list("event_name", "dimensions")) == [
            ("upload", {}),
            ("upload", {"size": 0.1}),
        ]
        assert DirtyHour.objects.get().feature.ref_id == "uploads"

    def test_a_key_for_usage_only_may_report(self, client: stigg.Stigg) -> None:
        narrow = client.with_options(api_key=new_key(scope=Scope.USAGE)[1])

        assert len(narrow.v1.usage.report(usages=[ONE]).data) == 1


class TestErrors:
    def test_every_wrong_one_of_a_batch_is_named_and_nothing_is_stored(self, client: stigg.Stigg) -> None:
        with pytest.raises(stigg.BadRequestError) as error:
            client.v1.usage.report(
                usages=[
                    ONE,
                    ONE | {"customer_id": "nobody"},
                    ONE | {"feature_id": "nothing"},
                    ONE | {"value": "many"},
                    ONE | {"created_at": NOON + timedelta(hours=1)},
                ]
            )

        body: Any = error.value.body
        assert [(one["index"], one["code"]) for one in body["errors"]] == [
            (1, "CustomerNotFound"),
            (2, "FeatureNotFound"),
            (3, "BadUserInput"),
            (4, "BadUserInput"),
        ]
        assert body["errors"][2]["message"] == "value is a text: send a number, without quotes."
        assert body["code"] == "BadUserInput"
        assert body["message"] == (
            "Nothing was stored. At index 1: No customer has the id 'nobody': create it before reporting its usage. "
            "(and 3 more, see errors)"
        )
        assert error.value.response.headers["X-Trace-Id"] == body["traceId"]
        assert UsageEvent.objects.count() == 0

    def test_an_unknown_customer_is_a_not_found_error(self, client: stigg.Stigg) -> None:
        with pytest.raises(stigg.NotFoundError) as error:
            client.v1.events.report(events=[EVENT | {"customer_id": "nobody"}])

        assert error.value.body["code"] == "CustomerNotFound"  # type: ignore[index]

    def test_a_key_of_something_else_is_a_conflict_that_the_sdk_does_not_retry(self, client: stigg.Stigg) -> None:
        client.v1.usage.report(usages=[ONE])

        with pytest.raises(stigg.ConflictError) as error:
            client.v1.usage.report(usages=[ONE | {"resource_id": "site-1"}])

        assert error.value.body["code"] == "DuplicatedEntityNotAllowed"  # type: ignore[index]
        assert error.value.request.headers["x-stainless-retry-count"] == "0"

    def test_a_wrong_key_is_an_authentication_error(self, client: stigg.Stigg) -> None:
        with pytest.raises(stigg.AuthenticationError) as error:
            client.with_options(api_key="server-made-up").v1.usage.report(usages=[ONE])

        body: Any = error.value.body
        assert body == {
            "message": "Send an API key in X-API-KEY: this one is not known, or revoked.",
            "code": "Unauthenticated",
            "traceId": body["traceId"],
        }


class TestHistory:
    def history(self, client: stigg.Stigg, **query: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {"feature_id": "api-calls", "customer_id": "acme", "start_date": START} | query
        return client.v1.usage.history(**asked).data.to_dict(mode="json")

    def test_the_running_value_is_told_hour_by_hour(self, client: stigg.Stigg) -> None:
        client.v1.usage.report(
            usages=[
                ONE | {"idempotency_key": "a", "value": 5, "created_at": START + timedelta(minutes=10)},
                ONE | {"idempotency_key": "b", "value": 2, "created_at": START + timedelta(minutes=50)},
                ONE | {"idempotency_key": "c", "value": 4, "update_behavior": "SET"},
                ONE | {"idempotency_key": "d", "value": 50, "resource_id": "another"},
            ]
        )

        assert self.history(client, end_date=NOON + timedelta(hours=1)) == {
            "markers": [],
            "series": [
                {
                    "tags": [],
                    "points": [
                        {"timestamp": "2026-03-01T00:00:00Z", "value": 7.0, "isResetPoint": False},
                        {"timestamp": "2026-03-10T12:00:00Z", "value": 4.0, "isResetPoint": False},
                    ],
                }
            ],
        }

    def test_it_starts_again_where_a_billing_period_ends(
        self, client: stigg.Stigg, customer: Customer, feature: Feature
    ) -> None:
        SubscriptionFactory.create(customer=customer, start_date=datetime(2026, 1, 5, 10, 30, tzinfo=UTC))
        for day, value in ((2, 100), (6, 7)):
            UsageEventFactory.create(
                customer=customer, feature=feature, value=value, occurred_at=datetime(2026, 2, day, 3, tzinfo=UTC)
            )
        UsageEventFactory.create(
            customer=customer, feature=feature, value=1, occurred_at=datetime(2026, 3, 5, 10, 45, tzinfo=UTC)
        )

        assert self.history(client, start_date=datetime(2026, 2, 6, tzinfo=UTC)) == {
            "markers": [{"timestamp": "2026-03-05T10:30:00Z", "type": "PERIODIC_RESET"}],
            "series": [
                {
                    "tags": [],
                    "points": [
                        {"timestamp": "2026-02-06T03:00:00Z", "value": 7.0, "isResetPoint": False},
                        {"timestamp": "2026-03-05T10:30:00Z", "value": 1.0, "isResetPoint": True},
                    ],
                }
            ],
        }

    def test_seats_stay_taken_over_the_end_of_a_period(self, client: stigg.Stigg, customer: Customer) -> None:
        seats = MeteredFeatureFactory.create(ref_id="seats", meter_type=MeterType.FLUCTUATING)
        SubscriptionFactory.create(customer=customer)
        UsageEventFactory.create(
            customer=customer, feature=seats, value=5, occurred_at=datetime(2026, 1, 5, tzinfo=UTC)
        )
        UsageEventFactory.create(customer=customer, feature=seats, value=-2, occurred_at=NOON - timedelta(hours=2))

        assert self.history(client, feature_id="seats") == {
            "markers": [],
            "series": [
                {"tags": [], "points": [{"timestamp": "2026-03-10T10:00:00Z", "value": 3.0, "isResetPoint": False}]}
            ],
        }

    def test_raw_events_count_by_the_meter_and_can_be_grouped(self, client: stigg.Stigg, feature: Feature) -> None:
        MeterFactory.create(feature=feature, aggregation="SUM", field="size")
        sizes = (("a", 1.5, "eu"), ("b", 2, "us"), ("c", 4, "eu"), ("d", 8, None))
        client.v1.events.report(
            events=[
                EVENT
                | {"idempotency_key": key, "timestamp": NOON - timedelta(minutes=1)}
                | {"dimensions": {"size": size} | ({"region": region} if region else {})}
                for key, size, region in sizes
            ]
        )

        def points(value: float) -> list[dict[str, Any]]:
            return [{"timestamp": "2026-03-10T11:00:00Z", "value": value, "isResetPoint": False}]

        assert self.history(client, group_by="region")["series"] == [
            {"tags": [{"key": "region", "value": ""}], "points": points(8.0)},
            {"tags": [{"key": "region", "value": "eu"}], "points": points(5.5)},
            {"tags": [{"key": "region", "value": "us"}], "points": points(2.0)},
        ]
        assert self.history(client)["series"] == [{"tags": [], "points": points(15.5)}]

    def test_without_usage_there_is_no_series(self, client: stigg.Stigg) -> None:
        assert self.history(client) == {"markers": [], "series": []}

    def test_a_year_ahead_is_as_far_as_it_looks(self, client: stigg.Stigg) -> None:
        SubscriptionFactory.create(customer=Customer.objects.get(ref_id="acme"), start_date=START)
        far = self.history(client, end_date=datetime(9999, 12, 31, 23, tzinfo=UTC))
        assert [len(far["markers"]), far["markers"][-1]["timestamp"]] == [12, "2027-03-01T00:00:00Z"]

    @pytest.mark.parametrize(
        ("query", "error", "code"),
        [
            ({"customer_id": "nobody"}, stigg.NotFoundError, "CustomerNotFound"),
            ({"feature_id": "nothing"}, stigg.NotFoundError, "FeatureNotFound"),
            ({"start_date": "yesterday"}, stigg.BadRequestError, "BadUserInput"),
            ({"start_date": "2026-03-01T00:00:00"}, stigg.BadRequestError, "BadUserInput"),
            ({"end_date": START}, stigg.BadRequestError, "BadUserInput"),
            ({"customer_id": "a\0b"}, stigg.NotFoundError, "CustomerNotFound"),
        ],
    )
    def test_what_cannot_be_read_is_an_error(
        self, client: stigg.Stigg, query: dict[str, Any], error: type[stigg.APIStatusError], code: str
    ) -> None:
        with pytest.raises(error) as raised:
            self.history(client, **query)

        assert raised.value.body["code"] == code  # type: ignore[index]


@pytest.mark.django_db(transaction=True)
def test_an_application_needs_its_base_url_and_nothing_else(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STIGG_BASE_URL", live_server.url)
    monkeypatch.setenv("STIGG_API_KEY", new_key()[1])

    with stigg.Stigg() as client:
        answer = client.v1.usage.report(usages=[ONE])
        client.v1.events.report(events=[EVENT])

    assert [one.value for one in answer.data] == [3]
    assert UsageEvent.objects.count() == 2
