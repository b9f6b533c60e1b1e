"""Usage comes in: stored once, all or nothing, with the hours it makes dirty. On PostgreSQL and on SQLite."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from catalog.models import Feature
from customers.models import Customer
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON, MeteredFeatureFactory, MeterFactory
from tests.usage.told import HOUR, dirty_hours, event, refused, stored_rows, usage
from usage.checking import Reason
from usage.models import DirtyHour, UpdateBehavior, UsageEvent
from usage.reporting import Refused, report_events, report_usage
from usage.storing import Stored

pytestmark = [pytest.mark.django_db, pytest.mark.engine]


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
