"""The world of the engine's tests: a tenant in process, a connection to it, and a clock that moves when told."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations import delivery, outbox
from integrations.models import Connection, EntityKind, SyncJob, SyncRecord
from integrations.zuora.auth import Credentials, MemoryTokenStore
from integrations.zuora.client import Client, new_session
from integrations.zuora.standin.app import StandIn, create_app

try:
    from tests.sdk_contract import check_request
except ImportError:

    def check_request(*a):
        return []


from tests.factories.customers import CustomerFactory
from tests.standin_transport import WSGIAdapter

REST_URL = "https://rest.test.zuora.com"
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
    now: datetime = field(default_factory=lambda: timezone.now())

    def clock(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)

    def deliver(self, job_id: int, worker: str = "worker") -> delivery.Woken:
        return delivery.deliver(job_id=job_id, worker=worker, clock=self.clock, open_client=lambda _: self.client)

    def settle(self, rounds: int = 50) -> None:
        """Deliver what is due until nothing is, as a worker and its sweeps would."""
        for _ in range(rounds):
            self.now = max(self.now, timezone.now()) + timedelta(seconds=1)
            outbox.release_orphans(now=self.now)
            due = list(SyncJob.objects.due(now=self.now).order_by("priority", "not_before", "pk"))
            if not due:
                return
            for job in due:
                self.deliver(job.pk)

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


def open_client(app: StandIn, *, secret: str = "demo-secret") -> Client:
    session = new_session()
    session.mount("https://", WSGIAdapter(app))
    return Client(Credentials(REST_URL, "demo-client", secret), tokens=MemoryTokenStore(), session=session)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A tenant in process; at the end every request that it got is held against Zuora's own client."""
    app = create_app(seed=1)
    CustomerFactory.reset_sequence(0)
    for number in range(40):  # what a hosted page has made: the factory's customers name them
        row = app.tenant.created(Type="CreditCardReferenceTransaction", TokenId=f"token-{number}", Status="Active")
        app.tenant.store.put("PaymentMethod", {**row, "Id": f"{number:032x}"})
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
        for problem in check_request(one.method, one.path, one.body, one.headers, one.query)
    ]
    assert violations == []


@pytest.fixture
def connection(db: None) -> Connection:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Connection.objects.create(
        rest_url=REST_URL,
        tenant_id="10001",
        client_id="demo-client",
        client_secret="demo-secret",
        key_prefix="stigg",
        findings={"custom_fields": CUSTOM_FIELDS, "time_zone": "UTC"},
        connected_at=now,
        credentials_since=now,
    )


@pytest.fixture
def world(standin: StandIn, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> World:
    """No message leaves: whoever wants a job delivered calls `settle`."""
    nothing: Callable[..., None] = lambda *_args, **_kwargs: None  # noqa: E731
    monkeypatch.setattr("integrations.receivers.ring", nothing)
    monkeypatch.setattr("integrations.receivers.ring_sweep", nothing)
    return World(standin, connection, open_client(standin))
