import threading
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from integrations.zuora import budget as budget_module
from integrations.zuora.budget import Budget, Limits
from integrations.zuora.errors import Kind, LimitExceeded, Outcome, RedisAway, Scope
from integrations.zuora.leases import CallClass, Leases, MemoryLeases, Priority, RedisLeases

DEFAULT, CLICK, CHANGES = CallClass.DEFAULT, Priority.CLICK, Priority.CHANGES


class Clock:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
def leases(request: pytest.FixtureRequest, redis_client: redis.Redis) -> Leases:
    return MemoryLeases() if request.param == "memory" else RedisLeases(redis_client, tenant="1234")


def budget(leases: Leases, clock: Clock, **options: Any) -> Budget:
    return Budget(leases, clock=clock, sleep=clock.sleep, **{"limits": Limits(10, 20, 5), "patience": 2.0, **options})


def fill(stack: ExitStack, budget: Budget, call_class: CallClass, priority: Priority) -> int:
    """Take slots until there is none; say how many there were."""
    count = 0
    while True:
        try:
            stack.enter_context(budget.slot(call_class, priority))
        except LimitExceeded:
            return count
        count += 1


@pytest.mark.parametrize(
    ("call_class", "priority", "slots"),
    [
        (CallClass.DEFAULT, Priority.CLICK, 10),
        (CallClass.DEFAULT, Priority.USAGE, 9),
        (CallClass.DEFAULT, Priority.CHANGES, 8),
        (CallClass.DEFAULT, Priority.BACKFILL, 6),
        (CallClass.HIGH_VOLUME, Priority.CHANGES, 16),
        (CallClass.OBJECT_QUERY, Priority.CHANGES, 4),
    ],
)
def test_a_priority_fills_its_share_of_the_class(
    leases: Leases, clock: Clock, call_class: CallClass, priority: Priority, slots: int
) -> None:
    with ExitStack() as stack:
        assert fill(stack, budget(leases, clock), call_class, priority) == slots


def test_a_click_finds_room_where_lower_priorities_have_filled_theirs(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock)
    with ExitStack() as stack:
        taken = [fill(stack, it, DEFAULT, each) for each in reversed(Priority)]

    assert taken == [6, 2, 1, 1]


def test_the_smallest_limit_still_lets_everybody_through(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock, limits=Limits(1, 1, 1))
    with it.slot(DEFAULT, Priority.BACKFILL):
        pass


def test_classes_do_not_take_from_each_other(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock)
    with ExitStack() as stack:
        fill(stack, it, DEFAULT, CLICK)
        assert fill(stack, it, CallClass.OBJECT_QUERY, CLICK) == 5


def test_a_slot_comes_back_when_the_call_is_over_even_with_an_error(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock, limits=Limits(1, 1, 1))
    with pytest.raises(ZeroDivisionError), it.slot(DEFAULT, CLICK):
        raise ZeroDivisionError
    with it.slot(DEFAULT, CLICK):
        pass

    assert clock.slept == []


def test_a_seat_keeps_its_slot_from_call_to_call_and_changes_it_with_the_class(leases: Leases, clock: Clock) -> None:
    full = budget(leases, clock)
    with full.seat() as seat:
        for _ in range(2):
            with full.slot(DEFAULT, CHANGES, seat):
                pass
            with ExitStack() as others:
                assert fill(others, full, DEFAULT, CHANGES) == 7
                with full.slot(DEFAULT, CHANGES, seat):  # though all are taken, one of them is its own
                    pass
        leases.pause(now=clock.now, until=clock.now + 60)
        with pytest.raises(LimitExceeded), full.slot(DEFAULT, CHANGES, seat):
            pass
        clock.now += 60
        with full.slot(CallClass.OBJECT_QUERY, CHANGES, seat), ExitStack() as others:
            assert fill(others, full, DEFAULT, CHANGES) == 8
            assert fill(others, full, CallClass.OBJECT_QUERY, CHANGES) == 3
    with ExitStack() as others:
        assert fill(others, full, CallClass.OBJECT_QUERY, CHANGES) == 4


def test_a_full_class_is_waited_for_only_so_long(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock, limits=Limits(1, 1, 1))
    start = clock.now
    with it.slot(DEFAULT, CLICK), pytest.raises(LimitExceeded) as caught, it.slot(DEFAULT, CLICK):
        pass

    error = caught.value
    assert clock.now - start == pytest.approx(2.0)
    assert (error.kind, error.outcome, error.scope) == (Kind.TRANSIENT, Outcome.NOT_SENT, Scope.CONNECTION)
    assert error.retry_after == 1.0


def test_a_slot_that_becomes_free_meanwhile_is_taken(leases: Leases, clock: Clock) -> None:
    limits = Limits(1, 1, 1)
    holder = budget(leases, clock, limits=limits).slot(DEFAULT, CLICK)
    holder.__enter__()

    def release_then_sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            holder.__exit__(None, None, None)

    with Budget(leases, limits=limits, clock=clock, sleep=release_then_sleep).slot(DEFAULT, CLICK):
        assert len(clock.slept) == 3


def test_of_the_threads_that_wait_for_the_same_slots_one_asks(leases: Leases, clock: Clock) -> None:
    asked, refused = list[str](), list[str]()

    class Asked(MemoryLeases):
        def take(self, call_class: CallClass, lease: str, *, ceiling: int, now: float, until: float) -> float | None:
            asked.append(threading.current_thread().name)
            return leases.take(call_class, lease, ceiling=ceiling, now=now, until=until)

    def also_wait() -> None:
        try:
            with mine.slot(DEFAULT, CHANGES):
                pytest.fail("There was no slot.")
        except LimitExceeded as error:
            refused.append(error.message)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        other = threading.Thread(target=also_wait, name="other")
        other.start()
        other.join()

    limits = Limits(1, 1, 1)
    mine = Budget(Asked(), limits=limits, patience=0.02, clock=clock, sleep=sleep)
    with budget(leases, clock, limits=limits).slot(DEFAULT, CHANGES), pytest.raises(LimitExceeded):
        mine.slot(DEFAULT, CHANGES).__enter__()
    assert set(asked) == {threading.current_thread().name}
    assert set(refused) == {"All 1 slots for default calls are in use."}


def test_a_slot_that_is_given_back_ends_the_waiting_at_once_also_in_other_processes(
    leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_module, "_LOOK_SECONDS", 1000.0)
    mine, anothers = (Budget(leases, limits=Limits(1, 1, 1), patience=5000.0) for _ in range(2))
    has_it = threading.Event()

    def wait() -> None:
        with anothers.slot(DEFAULT, CHANGES):
            has_it.set()

    waiter = threading.Thread(target=wait, daemon=True)
    with mine.slot(DEFAULT, CLICK):
        waiter.start()
        assert not has_it.is_set()
    assert has_it.wait(20)
    waiter.join(20)


def test_way_is_made_for_calls_of_the_same_priority_as_long_as_several_wait(leases: Leases) -> None:
    mine = Budget(leases, limits=Limits(1, 1, 1), patience=5000.0)

    def call() -> None:
        with mine.slot(DEFAULT, CHANGES):
            pass

    first, second = (threading.Thread(target=call, daemon=True) for _ in range(2))
    with mine.slot(DEFAULT, CLICK):
        first.start()
        assert mine.make_way(CHANGES, seconds=0)
        second.start()
        for _ in range(20_000):  # until both have come so far
            second.join(0.001)
            if not (was_free := mine.make_way(CHANGES, seconds=0)):
                break
        assert (was_free, mine.make_way(CLICK, seconds=0)) == (False, True)
    first.join(20)
    second.join(20)
    assert mine.make_way(CHANGES, seconds=0)


def test_the_slots_of_a_killed_worker_come_back(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock, limits=Limits(1, 1, 1), lease_seconds=180.0)
    killed = it.slot(DEFAULT, CLICK)
    killed.__enter__()
    clock.now += 179.0
    with pytest.raises(LimitExceeded), budget(leases, clock, limits=Limits(1, 1, 1), patience=0.5).slot(DEFAULT, CLICK):
        pass

    clock.now += 1.0
    with it.slot(DEFAULT, CLICK):
        pass


def test_workers_share_one_budget_per_tenant(redis_client: redis.Redis, clock: Clock) -> None:
    workers = [budget(RedisLeases(redis_client, tenant="1234"), clock) for _ in range(3)]
    other_tenant = budget(RedisLeases(redis_client, tenant="99"), clock)
    with ExitStack() as stack:
        assert [fill(stack, worker, DEFAULT, CHANGES) for worker in workers] == [8, 0, 0]
        assert fill(stack, other_tenant, DEFAULT, CHANGES) == 8


def test_nothing_is_left_in_redis_for_ever(redis_client: redis.Redis, clock: Clock) -> None:
    it = budget(RedisLeases(redis_client, tenant="1234"), clock)
    it.heed(429, {"Retry-After": "1"})
    clock.now += 1.0
    with it.slot(DEFAULT, CHANGES):
        lives = [redis_client.pttl(key) for key in redis_client.scan_iter("*")]

    assert len(lives) == 2
    assert all(isinstance(life, int) and 0 < life <= 180_000 for life in lives)


def test_a_short_pause_is_waited_for_by_everybody(leases: Leases, clock: Clock) -> None:
    budget(leases, clock).heed(429, {"Retry-After": "1"})
    start = clock.now
    with budget(leases, clock).slot(CallClass.OBJECT_QUERY, CLICK):
        assert 1.0 <= clock.now - start < 1.2


def test_a_long_pause_is_handed_back_at_once(leases: Leases, clock: Clock) -> None:
    budget(leases, clock).heed(429, {"Retry-After": "60"})
    clock.now += 20.0
    with pytest.raises(LimitExceeded) as caught, budget(leases, clock).slot(DEFAULT, CLICK):
        pass

    assert clock.slept == []
    assert caught.value.retry_after == pytest.approx(40.0)
    assert caught.value.outcome is Outcome.NOT_SENT


def test_a_shorter_pause_does_not_end_a_longer_one(leases: Leases, clock: Clock) -> None:
    it = budget(leases, clock)
    it.heed(429, {"Retry-After": "60"})
    it.heed(429, {"Retry-After": "1"})
    with pytest.raises(LimitExceeded), it.slot(DEFAULT, CLICK):
        pass


def test_without_redis_nothing_is_sent(dead_redis: redis.Redis, clock: Clock) -> None:
    with (
        pytest.raises(RedisAway) as caught,
        budget(RedisLeases(dead_redis, tenant="1234"), clock).slot(DEFAULT, CLICK),
    ):
        pass

    error = caught.value
    assert (error.kind, error.outcome, error.scope) == (Kind.TRANSIENT, Outcome.NOT_SENT, Scope.CONNECTION)


def test_an_answer_counts_although_redis_died_meanwhile(
    redis_client: redis.Redis, dead_redis: redis.Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = RedisLeases(redis_client, tenant="1234")
    it = budget(leases, clock)
    with it.slot(DEFAULT, CLICK):
        dead = RedisLeases(dead_redis, tenant="1234")
        monkeypatch.setattr(leases, "give", dead.give)
        monkeypatch.setattr(leases, "pause", dead.pause)
        it.heed(429, {"Retry-After": "1"})
