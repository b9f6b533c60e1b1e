"""From one deployment, which plays Stigg's cloud, into another and on into the tenant; by processes, over HTTP."""

import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
import stigg
from django.db import connection as database
from django.utils import timezone

from customers.models import Customer
from integrations import api_keys, stigg_connecting
from integrations.models import (
    ApiKey,
    Operation,
    OperationState,
    Scope,
    StiggAccount,
    StiggEvent,
    StiggEventState,
    SyncJob,
)
from subscriptions.models import Subscription
from tests.integrations.stigg.cloud import API_KEY, Cloud, serving
from tests.processes import shop
from tests.processes.deployment import CLIENT_ID, CLIENT_SECRET, Deployment
from tests.processes.running import Running

pytestmark = pytest.mark.processes

SECRET = "whsec-made-up"
COUNTS = [
    ("addon", 1), ("coupon", 1), ("customer", 3), ("feature", 2), ("plan", 2), ("product", 1), ("subscription", 5),
]  # fmt: skip


@dataclass(frozen=True)
class Theirs:
    """The deployment that plays Stigg's cloud."""

    url: str
    token: str

    @property
    def client(self) -> stigg.Stigg:
        return stigg.Stigg(api_key=self.token, base_url=self.url)


@pytest.fixture
def theirs(transactional_db: None) -> Iterator[Theirs]:
    """A web process with a database of its own: made before anything else looks at ours, of which it is a copy."""
    _, token = api_keys.create(name="Reader", scope=Scope.WRITE, actor=None, now=timezone.now())
    ours, server = database.settings_dict["NAME"], os.environ["DATABASE_URL"].rpartition("/")[0]
    ours_alone: Any = database  # its type does not know what PostgreSQL's has
    with database._nodb_cursor() as cursor:
        database.close()
        ours_alone.close_pool()  # a copy is made of what nobody looks at
        cursor.execute(f'DROP DATABASE IF EXISTS "{ours}_theirs"')
        cursor.execute(f'CREATE DATABASE "{ours}_theirs" TEMPLATE "{ours}"')
    ApiKey.objects.all().delete()
    url = f"{server}/{ours}_theirs"
    with tempfile.TemporaryDirectory(prefix="sz-") as directory:
        with Deployment(Path(directory), database_url=url, redis_url=os.environ["REDIS_URL"]) as cloud:
            yield Theirs(cloud.start_web("cloud"), token)
        with database._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{ours}_theirs"')


def run_import(deployment: Deployment, name: str, *, url: str, token: str = "", pace: int = 100_000) -> Running:
    """Start the command as a person types it."""
    arguments = ["manage.py", "import_stigg"]
    if token:
        key_file = deployment.directory / "key"
        key_file.write_text(token)
        arguments += ["--url", url, "--api-key-file", str(key_file)]
    return deployment.start(name, arguments, STIGG_EXTRA_HOSTS=url, STIGG_CALLS_PER_MINUTE=str(pace))


def finish(running: Running) -> tuple[int, list[str]]:
    """Wait for the command, and return its exit status and the counts that it printed."""
    status = running.popen.wait(timeout=90)
    return status, [line for line in running.log.read_text().splitlines() if line.endswith((" created", " unchanged"))]


def settled() -> bool:
    """Tell whether nothing is on its way but what waits for a payment method."""
    events = StiggEvent.objects.filter(state=StiggEventState.WAITING)
    return not events.exists() and not SyncJob.objects.open().exclude(key="subscription:unpaid").exists()


def held(deployment: Deployment) -> dict[str, Any]:
    """Return what the tenant holds, by Zuora's own client: what is on sale, who is billed, and what each pays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK's own
        # Not imported above: whoever collects the tests would wait for Zuora's client, which takes three seconds.
        readback = import_module("stigg_zuora.demo.readback")
        found = readback.read(deployment.rest_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    return {
        "on sale": {
            f"{plain(sku)} {name} {charge}": {key: row[key] for key in row if key in {"EUR", "USD"}}
            for sku, product in found["products"].items()
            for name, charges in product["rate plans"].items()
            for charge, row in charges.items()
        },
        "billed": {
            plain(number): (row["name"], row["currency"], row["payment method"], row["contact"]["country"])
            for number, row in found["accounts"].items()
        },
        "sold": {
            plain(number): (
                *(plain(row["payer"]), row["currency"], row["status"], row["begins"], row["resource"]),
                {
                    f"{plain(name)} {charge}": sold
                    for name, charges in row["rate plans"].items()
                    for charge, sold in charges.items()
                },
            )
            for number, row in found["subscriptions"].items()
        },
    }


def plain(number: str) -> str:
    return number.removeprefix("stigg--")


def post(url: str, message_id: str, type_: str, ref_id: str, *, nested: bool = False) -> bool:
    """Send an event as Stigg does; return whether it was taken as a new one."""
    entity = {"id": ref_id}
    body = {"messageId": message_id, "type": type_, **({"data": entity} if nested else entity)}
    answer = requests.post(url, json=body, headers={"Stigg-Webhooks-Secret": SECRET}, timeout=30)
    assert answer.status_code == 200
    return bool(answer.json()["new"])


@pytest.mark.usefixtures("connection")
def test_an_environment_comes_whole_and_stays_fresh(theirs: Theirs, deployment: Deployment) -> None:
    client, methods = theirs.client, deployment.add_payment_methods(3)
    shop.open_shop(client, methods)
    reads: Any = {"STIGG_EXTRA_HOSTS": theirs.url, "STIGG_CALLS_PER_MINUTE": "100000", "SYNC_SETTLE_SECONDS": "0"}
    worker = deployment.start_worker(**reads)

    status, lines = finish(run_import(deployment, "first", url=theirs.url, token=theirs.token))
    assert (status, lines[-7:]) == (0, [f"{count} {kind}s created" for kind, count in COUNTS])
    deployment.wait_until(settled, "all of it to arrive", alive=[worker], seconds=120)
    begins = client.v1.subscriptions.retrieve("old").data.start_date.date().isoformat()
    seats = {"EUR": ["0 to 10: 8", "11 to any: 6.5"], "USD": ["0 to 10: 9", "11 to any: 7.5"]}
    wanted: dict[str, Any] = {
        "on sale": {
            "addon--support Monthly Flat fee": {"EUR": "5", "USD": "6"},
            "coupon--ten Annual Discount": {"EUR": "10 %", "USD": "10 %"},
            "coupon--ten Monthly Discount": {"EUR": "10 %", "USD": "10 %"},
            "plan--pro Monthly Calls (usage)": {"EUR": "0.01", "USD": "0.012"},
            "plan--pro Monthly Flat fee": {"EUR": "59", "USD": "65"},
            "plan--pro Monthly Seats": seats,
            "plan--team Annual Flat fee": {"EUR": "200", "USD": "220"},
            "plan--team Monthly Flat fee": {"EUR": "20", "USD": "22"},
        },
        "billed": {"acme": ("Acme", "EUR", methods[0], "DE"), "globex": ("Globex", "USD", methods[1], "US")},
        "sold": {
            "old": (
                *("acme", "EUR", "Active", begins, "for-old"),
                {  # at the price of the version that it was sold
                    "plan--pro, Monthly Flat fee": {"price": "49"},
                    "plan--pro, Monthly Seats": {"price": seats["EUR"], "quantity": "7"},
                    "plan--pro, Monthly Calls (usage)": {"price": "0.01"},
                },
            ),
            "new": (
                *("acme", "EUR", "Active", begins, "for-new"),
                {
                    "plan--pro, Monthly Flat fee": {"price": "39.5"},
                    "plan--pro, Monthly Seats": {"price": seats["EUR"], "quantity": "12"},
                    "plan--pro, Monthly Calls (usage)": {"price": "0.01"},
                    "addon--support, Monthly Flat fee": {"price": "10"},
                    "coupon--ten, Monthly Discount": {"price": "10 %"},
                },
            ),
            "dollars": (
                *("globex", "USD", "Active", begins, "for-dollars"),
                {
                    "plan--pro, Monthly Flat fee": {"price": "65"},
                    "plan--pro, Monthly Seats": {"price": seats["USD"], "quantity": "3"},
                    "plan--pro, Monthly Calls (usage)": {"price": "0.012"},
                },
            ),
            "yearly": (
                *("globex", "USD", "Active", begins, "for-yearly"),
                {"plan--team, Annual Flat fee": {"price": "220"}},
            ),
        },
    }
    assert held(deployment) == wanted

    asked = len(deployment.requests())
    saved = list(Subscription.objects.values_list("updated_at"))
    status, lines = finish(run_import(deployment, "again", url=theirs.url))
    assert (status, lines[-7:]) == (0, [f"{count} {kind}s unchanged" for kind, count in COUNTS])
    assert list(Subscription.objects.values_list("updated_at")) == saved
    assert (settled(), len(deployment.requests()) - asked) == (True, 0)

    before = deployment.writes()
    account = StiggAccount.objects.get()
    stigg_connecting.change_secret(account=account, hook_secret=SECRET, actor=None, now=timezone.now())
    hook = f"{deployment.start_web(**reads)}/webhooks/stigg/{account.hook_path}"
    client.v1.customers.update("acme", name="Acme Holding")
    client.v1.subscriptions.update("old", charges=[{"id": "seats", "type": "FEATURE", "quantity": 9}])
    shop.raise_price(client, "team", 25)
    shop.sign_up(client, "initech", currency="eur", country="DE", payment_method=methods[2])
    shop.sell(client, "late", customer="initech", plan="team")
    told = [
        ("m4", "subscription.created", "late"),  # before its customer, and before the version that it was sold
        ("m3", "subscription.updated", "old"),
        ("m2", "plan.updated", "team"),
        ("m5", "customer.created", "initech"),
        ("m1", "customer.updated", "acme"),
    ]
    assert [post(hook, *event, nested=bool(turn)) for turn in range(2) for event in told] == [True] * 5 + [False] * 5
    deployment.wait_until(settled, "what the events told", alive=[worker], seconds=120)
    assert set(StiggEvent.objects.values_list("state", flat=True)) == {StiggEventState.DONE}
    since = client.v1.subscriptions.retrieve("late").data.start_date.date().isoformat()
    wanted["on sale"] |= {
        "plan--team Annual Flat fee": {"EUR": "250", "USD": "275"},
        "plan--team Monthly Flat fee": {"EUR": "25", "USD": "27"},
    }
    wanted["billed"] |= {
        "acme": ("Acme Holding", "EUR", methods[0], "DE"),
        "initech": ("Initech", "EUR", methods[2], "DE"),
    }
    wanted["sold"]["old"][-1]["plan--pro, Monthly Seats"]["quantity"] = "9"
    wanted["sold"]["late"] = (
        *("initech", "EUR", "Active", since, "for-late"),
        {"plan--team, Monthly Flat fee": {"price": "25"}},
    )
    assert held(deployment) == wanted
    written = deployment.writes() - before
    assert {what: written[what] for what in ("POST /v1/accounts", "POST /v1/orders")} == {
        "POST /v1/accounts": 1,
        "POST /v1/orders": 2,
    }


@pytest.mark.usefixtures("connection")
def test_an_import_that_is_killed_goes_on_and_nothing_comes_twice(deployment: Deployment) -> None:
    cloud = Cloud()
    cloud.add("products", "main")
    cloud.add("plans", "pro")
    cloud.charge("pro", 49)
    for number in range(450):
        cloud.add("customers", f"c{number:03}")
        cloud.add("subscriptions", f"s{number:03}", customerId=f"c{number:03}")
    with serving(cloud):
        running = run_import(deployment, "killed", url=cloud.url, token=API_KEY, pace=300)
        deployment.wait_until(lambda: Customer.objects.count() >= 200, "some of it", alive=[running], seconds=60)
        running.kill()
        assert Customer.objects.count() in {200, 300, 400}
        status, lines = finish(run_import(deployment, "second", url=cloud.url))
    assert (status, lines[-4:]) == (
        0,
        ["450 customers created", "1 plans created", "1 products created", "450 subscriptions created"],
    )
    operation = Operation.objects.get()
    assert (operation.state, operation.done) == (OperationState.DONE, 902)
    assert (Customer.objects.count(), Subscription.objects.count()) == (450, 450)
    assert Counter(SyncJob.objects.values_list("kind", flat=True)) == {"plan": 1, "customer": 450, "subscription": 450}
