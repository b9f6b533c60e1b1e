"""Any stream of usage, with repeats and concurrent batches: each key is stored once, and every hour is noted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Feature
from customers.models import Customer
from tests.factories.customers import CustomerFactory
from tests.factories.usage import NOON, MeteredFeatureFactory
from usage.models import DirtyHour, UsageEvent
from usage.reporting import Refused, UsageReport, report_usage

pytestmark = pytest.mark.engine
examples = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

#: Few of each, so that they meet; and texts that would break a query that is put together by hand.
KEYS = st.sampled_from(["a", "b", "c", "d", "e", '"', "\\", "{NULL}", "NULL", "a,b", "\n", "Ω", "'; --"])
REPORTS = st.builds(
    UsageReport,
    customer=st.just("acme"),
    feature=st.just("api-calls"),
    value=st.decimals(-1000, 1000, places=3),
    key=KEYS,
    at=st.integers(0, 300).map(lambda minutes: NOON - timedelta(minutes=minutes)),
    dimensions=st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.text(
        st.characters(codec="utf-8", exclude_characters="\0")
    ) | st.booleans() | st.integers(-(10**15), 10**15), max_size=3),
)  # fmt: skip
STREAMS = st.lists(st.lists(REPORTS, min_size=1, max_size=8), min_size=1, max_size=5)


@pytest.fixture
def world(db: None) -> tuple[Customer, Feature]:
    return CustomerFactory.create(ref_id="acme"), MeteredFeatureFactory.create(ref_id="api-calls")


@contextmanager
def emptied() -> Iterator[None]:
    DirtyHour.objects.all().delete()
    UsageEvent.objects.all().delete()
    yield


@examples
@given(stream=STREAMS)
@pytest.mark.usefixtures("world")
def test_each_key_is_stored_once_as_it_was_told_first(stream: list[list[UsageReport]]) -> None:
    with emptied():
        first: dict[str | None, UsageReport] = {}
        for batch in stream:
            answer = report_usage(reports=dict(enumerate(batch)), now=NOON)
            for index, report in enumerate(batch):
                told = first.setdefault(report.key, report)
                assert (answer[index].value, answer[index].occurred_at) == (told.value, told.at)

        stored = {event.idempotency_key: event for event in UsageEvent.objects.all()}
        assert {key: (event.value, event.occurred_at, event.dimensions) for key, event in stored.items()} == {
            key: (report.value, report.at, report.dimensions) for key, report in first.items()
        }
        assert set(DirtyHour.objects.values_list("hour", flat=True)) == {
            event.occurred_at.replace(minute=0) for event in stored.values()
        }


@examples
@given(batch=st.lists(REPORTS, min_size=1, max_size=8), place=st.integers(0, 8), wrong=st.sampled_from(["x", "y"]))
@pytest.mark.usefixtures("world")
def test_one_wrong_event_anywhere_leaves_nothing(batch: list[UsageReport], place: int, wrong: str) -> None:
    with emptied():
        bad = UsageReport(customer="acme" if wrong == "x" else "nobody", feature=wrong, value=Decimal(1))
        batch.insert(min(place, len(batch)), bad)

        with pytest.raises(Refused) as answer:
            report_usage(reports=dict(enumerate(batch)), now=NOON)

        assert [problem.index for problem in answer.value.problems] == [batch.index(bad)]
        assert (UsageEvent.objects.count(), DirtyHour.objects.count()) == (0, 0)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory, SQLite has one connection: no two writers")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_concurrent_batches_that_share_keys_store_each_once_and_answer_alike(seed: int) -> None:
    """Four writers at once, each with the same keys in another order: nobody waits for ever, nothing is there twice."""
    CustomerFactory.create(ref_id="acme")
    MeteredFeatureFactory.create(ref_id="api-calls")
    keys = [f"key-{(i * 37 + seed) % 1000}" for i in range(1000)]
    orders = [keys, keys[::-1], keys[500:] + keys[:500], sorted(keys)]
    start = threading.Barrier(len(orders))
    answers: list[dict[str, int]] = []
    failures: list[BaseException] = []

    def write(number: int, order: list[str]) -> None:
        try:
            start.wait(10)
            reports = {
                i: UsageReport("acme", "api-calls", Decimal(number), key=key, at=NOON - timedelta(hours=i % 5))
                for i, key in enumerate(order)
            }
            stored = report_usage(reports=reports, now=NOON)
            answers.append({order[i]: one.pk for i, one in stored.items()})
        except BaseException as failure:  # noqa: BLE001 - the test's own thread tells of it
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(i, order)) for i, order in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert len(answers) == len(orders)
    assert all(answer == answers[0] for answer in answers)
    assert UsageEvent.objects.count() == 1000
    assert sorted(UsageEvent.objects.values_list("idempotency_key", flat=True)) == sorted(keys)
