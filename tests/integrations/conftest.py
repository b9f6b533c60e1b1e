"""The world of the engine's tests: a tenant in process, a connection to it, and a clock that moves when told."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import time_machine
from django.utils import timezone

from integrations import delivery, operations, sweeping
from integrations.bulk import KINDS
from integrations.models import Connection, EntityKind, Operation, SyncJob, SyncRecord
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.client import Client, new_session
from integrations.zuora.standin.app import StandIn, create_app
from integrations.zuora.standin.request_log import Logged
from subscriptions.taking_effect import take_effect
from tests.factories.customers import CustomerFactory
from tests.sdk_contract import check_request
from tests.standin_transport import WSGIAdapter

REST_URL = "https://rest.test.zuora.com"
SECRET = "demo-secret"
CUSTOM_FIELDS = {
    "Product": ["stiggEntityUrl__c"],
    "Account": ["stiggEntityUrl__c", "stiggCustomerId__c"],
    "Subscription": ["stiggEntityUrl__c", "stiggCustomerId__c", "stiggResourceId__c"],
}


@dataclass
class World:
    """A deployment beside its tenant; nothing runs by itself: `settle` is the worker."""

    app: StandIn
    connection: Connection
    client: Client
    now: datetime = field(default_factory=timezone.now)

    def clock(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)

    def deliver(self, *job_ids: int, worker: str = "worker") -> delivery.Woken:
        return delivery.deliver(job_ids=job_ids, worker=worker, clock=self.clock, open_client=lambda _: self.client)

    def deliver_due(self) -> int:
        """Deliver what is due now, as a worker and its sweep would; return how many jobs that were."""
        sweeping.release_stuck(now=self.now)
        sweeping.release_orphans(now=self.now)
        due = list(SyncJob.objects.due(now=self.now).order_by("priority", "not_before", "pk"))
        for job in due:
            self.deliver(job.pk)
        return len(due)

    def settle(self, rounds: int = 100) -> None:
        """Deliver until nothing waits but for a parent; time passes as far as the next job wants it to."""
        for _ in range(rounds):
            waiting = SyncJob.objects.waiting().filter(waiting_for="").order_by("not_before").first()
            if waiting is None and not sweeping.release_orphans(now=self.now):
                return
            self.connection.refresh_from_db()
            moments = [self.now, self.connection.paused_until, waiting.not_before if waiting else None]
            self.now = max(moment for moment in moments if moment is not None)
            self.deliver_due()
        raise AssertionError(f"still waiting: {list(SyncJob.objects.waiting())}")

    def work(self, operation: Operation, rounds: int = 100) -> Operation:
        """Work in the background until the operation ends or stands; jobs that it stores are delivered."""
        for _ in range(rounds):
            operations.run(operation_id=operation.pk, kinds=KINDS, worker="worker", clock=self.clock)
            operation.refresh_from_db()
            if not operation.is_open:
                return operation
            self.settle()
            self.now = max(self.now, operation.not_before)
        raise AssertionError(f"still {operation.state}: {operation.checkpoint}")

    def calls(self) -> dict[str, int]:
        """Return how often each endpoint was called since last asked, tokens left out."""
        counts: Counter[str] = Counter()
        for logged in self.app.control.requests():
            if logged.template != "/oauth/token":
                counts[f"{logged.method} {logged.template}"] += 1
        self.app.control.clear_log()
        return dict(counts)

    def record(self, key: str) -> SyncRecord:
        return SyncRecord.objects.get(connection=self.connection, key=key)

    def statuses(self) -> dict[str, str]:
        """Return the status of every entity's own record."""
        kinds = [EntityKind.PLAN, EntityKind.ADDON, EntityKind.COUPON, EntityKind.CUSTOMER, EntityKind.SUBSCRIPTION]
        return dict(SyncRecord.objects.filter(kind__in=kinds).values_list("key", "status"))

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.app.control.rows(table)


def open_client(app: StandIn, *, secret: str = SECRET) -> Client:
    session = new_session()
    session.mount("https://", WSGIAdapter(app))
    return Client(Credentials(REST_URL, "demo-client", secret), tokens=MemoryTokenStore(), session=session)


def make_standin() -> StandIn:
    """Make a tenant in process, with the payment methods that the factory's customers name."""
    app = create_app(seed=1)
    CustomerFactory.reset_sequence(0)  # type: ignore[no-untyped-call]  # factory_boy types it not
    for number in range(40):  # what a hosted page has made
        row = app.tenant.created(Type="CreditCardReferenceTransaction", TokenId=f"token-{number}", Status="Active")
        app.tenant.store.put("PaymentMethod", {**row, "Id": f"{number:032x}"})
    return app


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A tenant in process; at the end every request that it got is held against Zuora's own client."""
    app = make_standin()
    seen: list[Any] = []
    clear = app.control.clear_log

    def keep_and_clear() -> None:
        seen.extend(app.control.requests())
        clear()

    app.control.clear_log = keep_and_clear  # type: ignore[method-assign]
    yield app
    keep_and_clear()
    app.close()
    violations = [
        (one.method, one.path, problem)
        for one in seen
        for problem in check_request(one.method, one.path, _body(one), one.headers, dict(parse_qsl(one.query)))
    ]
    assert violations == []


def _body(logged: Logged) -> Any:
    form = logged.headers.get("content-type") == "application/x-www-form-urlencoded"
    return dict(parse_qsl(logged.raw_body.decode())) if form else logged.body


@pytest.fixture
def connection(db: None) -> Connection:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Connection.objects.create(
        rest_url=REST_URL,
        tenant_id="10001",
        client_id="demo-client",
        client_secret=SECRET,
        key_prefix="stigg",
        findings={"custom_fields": CUSTOM_FIELDS},
        connected_at=now,
        credentials_since=now,
    )


@pytest.fixture
def world(standin: StandIn, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> World:
    """No message leaves: whoever wants a job delivered calls `settle`."""
    nothing: Callable[..., None] = lambda *_args, **_kwargs: None  # noqa: E731
    monkeypatch.setattr("integrations.receivers.ring", nothing)
    return World(standin, connection, open_client(standin))


@dataclass
class Story:
    """The tenant, and a calendar that is turned by hand."""

    world: World
    traveller: time_machine.Traveller

    @property
    def now(self) -> datetime:
        return self.world.now

    def at(self, moment: datetime) -> None:
        """Let it be then: what is due happens, and is delivered."""
        self.unheard(moment)
        self.settle()

    def unheard(self, moment: datetime) -> None:
        """Let it be then: what is due happens, and Zuora does not hear of it yet."""
        self.world.now = moment
        self.traveller.move_to(moment)
        take_effect(now=moment)

    def settle(self) -> None:
        self.world.settle()
        self.traveller.move_to(self.world.now)


STORY_BEGINS = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def story(request: pytest.FixtureRequest) -> Iterator[Story]:
    with time_machine.travel(STORY_BEGINS, tick=False) as traveller:
        yield Story(request.getfixturevalue("world"), traveller)
