"""Usage comes in: stored once, all or nothing, with the hours it makes dirty. On PostgreSQL and on SQLite."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from catalog.models import Feature, FeatureStatus, FeatureType, MeterType
from customers.models import Customer
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON, MeteredFeatureFactory, MeterFactory
from usage.checking import Problem, Reason
from usage.models import DirtyHour, UpdateBehavior, UsageEvent
from usage.reporting import RawEvent, Refused, UsageReport, report_events, report_usage
from usage.storing import Stored

pytestmark = [pytest.mark.django_db, pytest.mark.engine]

HOUR = timedelta(hours=1)


@pytest.fixture
def customer() -> Customer:
    return CustomerFactory.create(ref_id="acme")


@pytest.fixture
def feature() -> Feature:
    return MeteredFeatureFactory.create(ref_id="api-calls")


def usage(**fields: Any) -> UsageReport:
    told: dict[str, Any] = {"customer": "acme", "feature": "api-calls", "value": Decimal(3), "key": "k1"}
    return UsageReport(**told | fields)


def event(**fields: Any) -> RawEvent:
    told: dict[str, Any] = {"customer": "acme", "name": "upload", "key": "e1"}
    return RawEvent(**told | fields)


def stored_rows() -> list[tuple[Any, ...]]:
    return list(
        UsageEvent.objects.order_by("pk").values_list(
            "idempotency_key",
            "customer__ref_id",
            "feature__ref_id",
            "event_name",
            "resource_id",
            "update_behavior",
            "value",
            "dimensions",
            "occurred_at",
            "received_at",
        )
    )


def dirty_hours() -> list[tuple[Any, ...]]:
    return list(
        DirtyHour.objects.order_by("hour", "feature__ref_id", "resource_id").values_list(
            "customer__ref_id", "feature__ref_id", "resource_id", "hour", "since"
        )
    )


def refused(reports: dict[int, UsageReport], **options: Any) -> list[Problem]:
    with pytest.raises(Refused) as answer:
        report_usage(reports=reports, now=NOON, **options)
    assert stored_rows() == []
    assert dirty_hours() == []
    return list(answer.value.problems)


@pytest.mark.usefixtures("customer", "feature")
class TestStoring:
    def test_usage_is_stored_as_it_was_told_and_its_hour_is_dirty(self) -> None:
        at = datetime(2026, 3, 9, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=2)))
        told = usage(
            value=Decimal("12345.678901234"),
            behavior=UpdateBehavior.SET,
            resource="site-1",
            at=at,
            dimensions={"region": "emea", "size": 1.5, "paid": True, "grüße": "👋"},
        )

        answer = report_usage(reports={7: told}, now=NOON)

        [pk] = UsageEvent.objects.values_list("pk", flat=True)
        assert answer == {
            7: Stored(
                pk,
                (Customer.objects.get().pk, Feature.objects.get().pk, "", "site-1"),
                Decimal("12345.678901234"),
                at,
                NOON,
                is_new=True,
            )
        }
        assert stored_rows() == [
            (
                "k1",
                "acme",
                "api-calls",
                "",
                "site-1",
                "SET",
                Decimal("12345.678901234"),
                {"region": "emea", "size": 1.5, "paid": True, "grüße": "👋"},
                datetime(2026, 3, 9, 21, 59, 59, 999999, tzinfo=UTC),
                NOON,
            )
        ]
        assert dirty_hours() == [("acme", "api-calls", "site-1", datetime(2026, 3, 9, 21, tzinfo=UTC), NOON)]

    def test_usage_without_a_time_is_used_now_and_without_a_key_always_new(self) -> None:
        bare = usage(key=None)

        report_usage(reports={0: bare, 1: bare}, now=NOON)
        report_usage(reports={0: bare}, now=NOON + HOUR)

        assert [(row[6], row[8]) for row in stored_rows()] == [(3, NOON), (3, NOON), (3, NOON + HOUR)]
        assert len({row[0] for row in stored_rows()}) == 3

    def test_ids_ascend_in_the_order_of_the_batch_whatever_the_keys(self) -> None:
        report_usage(reports={i: usage(key=key) for i, key in enumerate(["z", "a", "m"])}, now=NOON)

        assert [row[0] for row in stored_rows()] == ["z", "a", "m"]

    def test_an_hour_is_noted_once_however_many_events_it_has(self) -> None:
        reports = {i: usage(key=f"k{i}", at=NOON - i * timedelta(minutes=20)) for i in range(5)}

        report_usage(reports=reports, now=NOON)
        report_usage(reports={0: usage(key="later", at=NOON)}, now=NOON + HOUR)

        assert [row[3:] for row in dirty_hours()] == [
            (NOON - 2 * HOUR, NOON),
            (NOON - HOUR, NOON),
            (NOON, NOON + HOUR),
        ]


@pytest.mark.usefixtures("customer", "feature")
class TestRepeats:
    def test_a_repeated_event_is_answered_as_the_first_was_and_changes_nothing(self) -> None:
        first = report_usage(reports={0: usage()}, now=NOON)
        DirtyHour.objects.all().delete()  # its hour was closed
        before = stored_rows()

        again = report_usage(reports={4: usage(value=Decimal(99), at=NOON - HOUR)}, now=NOON + HOUR)

        assert (again[4].pk, again[4].value, again[4].occurred_at, again[4].received_at) == (
            first[0].pk,
            Decimal(3),
            NOON,
            NOON,
        )
        assert not again[4].is_new
        assert stored_rows() == before
        assert dirty_hours() == []

    def test_a_key_twice_in_one_batch_is_stored_once_and_the_first_stands(self) -> None:
        answer = report_usage(reports={0: usage(value=Decimal(1)), 1: usage(value=Decimal(2))}, now=NOON)

        assert answer[0] == answer[1]
        assert [row[6] for row in stored_rows()] == [1]

    def test_new_events_among_repeated_ones_are_stored(self) -> None:
        report_usage(reports={0: usage(key="a"), 1: usage(key="c")}, now=NOON)

        answer = report_usage(reports={i: usage(key=key) for i, key in enumerate("abcd")}, now=NOON)

        assert [answer[i].is_new for i in range(4)] == [False, True, False, True]
        assert sorted(row[0] for row in stored_rows()) == ["a", "b", "c", "d"]

    @pytest.mark.parametrize(
        "other", [{"customer": "other"}, {"feature": "storage"}, {"resource": "site-2"}], ids=lambda other: str(*other)
    )
    def test_a_key_of_something_else_is_refused_with_all_of_its_batch(self, other: dict[str, str]) -> None:
        CustomerFactory.create(ref_id="other")
        MeteredFeatureFactory.create(ref_id="storage")
        report_usage(reports={0: usage()}, now=NOON)
        before = stored_rows(), dirty_hours()

        with pytest.raises(Refused) as answer:
            report_usage(reports={0: usage(key="new"), 1: usage(**other)}, now=NOON)

        assert [(problem.index, problem.code) for problem in answer.value.problems] == [(1, Reason.DUPLICATE)]
        assert "'k1'" in answer.value.problems[0].reason
        assert (stored_rows(), dirty_hours()) == before

    def test_a_key_of_something_else_in_the_same_batch_is_refused(self) -> None:
        CustomerFactory.create(ref_id="other")

        assert [(p.index, p.code) for p in refused({0: usage(), 1: usage(customer="other")})] == [(1, Reason.DUPLICATE)]

    def test_a_key_of_usage_cannot_become_one_of_a_raw_event(self) -> None:
        report_usage(reports={0: usage()}, now=NOON)

        with pytest.raises(Refused) as answer:
            report_events(events={0: event(key="k1")}, now=NOON)

        assert [problem.code for problem in answer.value.problems] == [Reason.DUPLICATE]


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


@pytest.mark.usefixtures("customer")
class TestRawEvents:
    def test_a_raw_event_makes_the_hours_of_the_meters_dirty_that_count_it(self) -> None:
        upload = [{"conditions": [{"field": "eventName", "operation": "EQUALS", "value": "upload"}]}]
        large = [{"conditions": [{"field": "size", "operation": "GREATER_THAN", "value": "10"}]}]
        MeterFactory.create(feature__ref_id="uploads", filters=upload)
        MeterFactory.create(feature__ref_id="large-things", filters=large)
        MeterFactory.create(feature__ref_id="everything")

        report_events(
            events={
                0: event(dimensions={"size": 5}),
                1: event(key="e2", name="download", resource="site-1", dimensions={"size": 11.5}),
            },
            now=NOON,
        )

        assert [row[:3] for row in dirty_hours()] == [
            ("acme", "everything", ""),
            ("acme", "everything", "site-1"),
            ("acme", "large-things", "site-1"),
            ("acme", "uploads", ""),
        ]
        assert [(row[0], row[2], row[3], row[6], row[7]) for row in stored_rows()] == [
            ("e1", None, "upload", None, {"size": 5}),
            ("e2", None, "download", None, {"size": 11.5}),
        ]

    def test_an_event_that_no_meter_counts_is_kept_for_a_meter_to_come(self) -> None:
        report_events(events={0: event()}, now=NOON)

        assert len(stored_rows()) == 1
        assert dirty_hours() == []

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"customer": "nobody"}, Reason.CUSTOMER_NOT_FOUND),
            ({"name": ""}, Reason.BAD_INPUT),
            ({"key": ""}, Reason.BAD_INPUT),
            ({"name": "n" * 256}, Reason.BAD_INPUT),
            ({"at": NOON + HOUR}, Reason.BAD_INPUT),
            ({"dimensions": {"list": [1]}}, Reason.BAD_INPUT),
        ],
    )
    def test_a_wrong_one_is_refused_with_all_of_its_batch(self, fields: dict[str, Any], code: Reason) -> None:
        with pytest.raises(Refused) as answer:
            report_events(events={0: event(), 3: event(**({"key": "e2"} | fields))}, now=NOON)

        assert [(problem.index, problem.code) for problem in answer.value.problems] == [(3, code)]
        assert stored_rows() == []
