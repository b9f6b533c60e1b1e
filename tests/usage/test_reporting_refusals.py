"""Usage that cannot be billed is refused, all of its batch, with its place and its reason. On both databases."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from catalog.models import FeatureStatus, FeatureType, MeterType
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON, MeteredFeatureFactory
from tests.usage.told import HOUR, refused, stored_rows, usage
from usage.checking import Problem, Reason
from usage.models import UpdateBehavior, UsageEvent
from usage.reporting import report_usage

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


@pytest.mark.usefixtures("customer", "feature")
class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "code", "reason"),
        [
            ({"customer": "nobody"}, Reason.CUSTOMER_NOT_FOUND, "No customer has the id 'nobody'"),
            ({"feature": "nothing"}, Reason.FEATURE_NOT_FOUND, "No feature has the id 'nothing'"),
            ({"feature": "sso"}, Reason.BAD_INPUT, "is BOOLEAN: only NUMBER features"),
            ({"feature": "plain"}, Reason.BAD_INPUT, "has no meter"),
            ({"feature": "old"}, Reason.BAD_INPUT, "is suspended"),
            ({"value": Decimal("NaN")}, Reason.BAD_INPUT, "The value NaN is not a number"),
            ({"value": Decimal("-Infinity")}, Reason.BAD_INPUT, "The value -Infinity is not a number"),
            ({"value": Decimal("1e13")}, Reason.BAD_INPUT, "more than 13 digits before the point"),
            ({"value": Decimal("-1e999999")}, Reason.BAD_INPUT, "more than 13 digits before the point"),
            ({"value": Decimal("9999999999999.9999999996")}, Reason.BAD_INPUT, "more than 13 digits before the point"),
            ({"value": Decimal(-1), "behavior": UpdateBehavior.SET}, Reason.BAD_INPUT, "a SET starts at zero"),
            ({"at": datetime(2026, 3, 10, 12)}, Reason.BAD_INPUT, "has no offset"),  # noqa: DTZ001 - that is the point
            ({"at": NOON + timedelta(minutes=6)}, Reason.BAD_INPUT, "lies in the future"),
            ({"at": datetime.max.replace(tzinfo=timezone(-14 * HOUR))}, Reason.BAD_INPUT, "lies in the future"),
            ({"at": datetime.min.replace(tzinfo=timezone(14 * HOUR))}, Reason.BAD_INPUT, "lies before 2000"),
            ({"at": datetime(1970, 1, 21, tzinfo=UTC)}, Reason.BAD_INPUT, "lies before 2000"),
            ({"customer": ""}, Reason.BAD_INPUT, "customerId is missing"),
            ({"customer": "a" * 256}, Reason.BAD_INPUT, "customerId has 256 characters"),
            ({"customer": "a\0b"}, Reason.BAD_INPUT, "customerId has characters that no database holds"),
            ({"feature": "\ud800"}, Reason.BAD_INPUT, "featureId has characters that no database holds"),
            ({"key": ""}, Reason.BAD_INPUT, "idempotencyKey is missing"),
            ({"key": "k" * 256}, Reason.BAD_INPUT, "idempotencyKey has 256 characters"),
            ({"resource": "r" * 256}, Reason.BAD_INPUT, "resourceId has 256 characters"),
            ({"dimensions": {str(i): i for i in range(101)}}, Reason.BAD_INPUT, "It has 101 dimensions"),
            ({"dimensions": {"a": {"b": 1}}}, Reason.BAD_INPUT, "'a' is neither a text, nor a number"),
            ({"dimensions": {"a": None}}, Reason.BAD_INPUT, "'a' is neither a text, nor a number"),
            ({"dimensions": {"a": float("inf")}}, Reason.BAD_INPUT, "The number in the dimension 'a' is too large"),
            ({"dimensions": {"a": 10**400}}, Reason.BAD_INPUT, "The number in the dimension 'a' is too large"),
            ({"dimensions": {"a": "x" * 4097}}, Reason.BAD_INPUT, "'a' has 4097 characters"),
            ({"dimensions": {"a": "\0"}}, Reason.BAD_INPUT, "'a' has characters that no database holds"),
            ({"dimensions": {"\0": "a"}}, Reason.BAD_INPUT, "its name has characters that no database holds"),
        ],
    )
    def test_what_cannot_be_billed_is_refused_with_its_place_and_its_reason(
        self, fields: dict[str, Any], code: Reason, reason: str
    ) -> None:
        MeteredFeatureFactory.create(ref_id="sso", feature_type=FeatureType.BOOLEAN, meter_type=MeterType.NONE)
        MeteredFeatureFactory.create(ref_id="plain", meter_type=MeterType.NONE)
        MeteredFeatureFactory.create(ref_id="old", status=FeatureStatus.SUSPENDED)

        [problem] = refused({0: usage(key="good"), 5: usage(**fields)})

        assert (problem.index, problem.code) == (5, code)
        assert reason in problem.reason

    @pytest.mark.parametrize(
        "fields",
        [
            {"value": Decimal(0)},
            {"value": Decimal(-9999999999999)},
            {"value": Decimal("0.50000000000000")},
            {"at": NOON + timedelta(minutes=5)},
            {"at": datetime(2000, 1, 1, tzinfo=UTC)},
            {"customer": "a" * 255},
            {"key": "ключ"},
        ],
    )
    def test_what_is_unusual_but_right_is_stored(self, fields: dict[str, Any]) -> None:
        CustomerFactory.create(ref_id="a" * 255, email="")

        report_usage(reports={0: usage(**fields)}, now=NOON)

        assert [row[6] for row in stored_rows()] == [fields.get("value", Decimal(3))]

    @pytest.mark.parametrize(
        ("value", "stored"),
        [
            ("0.30000000000000004", "0.3"),
            ("0.1234567885", "0.123456789"),
            ("-0.1234567885", "-0.123456789"),
            ("1.1111111111111111111111111111111111111111", "1.111111111"),
            ("1e-400", "0"),
            ("1e-999999", "0"),
        ],
    )
    def test_what_floats_leave_behind_is_rounded_half_away_from_zero(self, value: str, stored: str) -> None:
        answer = report_usage(reports={0: usage(value=Decimal(value))}, now=NOON)

        assert [row[6] for row in stored_rows()] == [Decimal(stored)]
        assert answer[0].value == Decimal(stored)

    def test_all_digits_are_kept_or_the_database_says_that_it_cannot(self) -> None:
        most = {0: usage(value=Decimal("9999999999999.999999999"))}

        if connection.vendor == "sqlite":
            assert [problem.reason for problem in refused(most)] == [
                (
                    "The value 9999999999999.999999999 has more than 15 digits, which this database cannot hold: "
                    "use PostgreSQL."
                )
            ]
        else:
            report_usage(reports=most, now=NOON)
            assert [row[6] for row in stored_rows()] == [Decimal("9999999999999.999999999")]

    def test_all_problems_are_named_at_once_in_the_order_of_the_batch(self) -> None:
        unread = Problem(2, Reason.BAD_INPUT, "value is not a number.")

        problems = refused(
            {0: usage(customer="x"), 1: usage(key="ok"), 3: usage(feature="y")},
            malformed=[unread],
        )

        assert [(problem.index, problem.code) for problem in problems] == [
            (0, Reason.CUSTOMER_NOT_FOUND),
            (2, Reason.BAD_INPUT),
            (3, Reason.FEATURE_NOT_FOUND),
        ]

    def test_an_empty_batch_is_refused(self) -> None:
        assert [problem.reason for problem in refused({})] == ["The batch is empty: send at least one."]

    def test_more_than_a_thousand_are_refused_and_a_thousand_are_not(self) -> None:
        reports = {i: usage(key=f"k{i}") for i in range(1001)}

        assert [problem.reason for problem in refused(reports)] == [
            "1001 in one batch are too many: send up to 1,000 at a time."
        ]
        del reports[1000]
        assert len(report_usage(reports=reports, now=NOON)) == 1000
        assert UsageEvent.objects.count() == 1000
