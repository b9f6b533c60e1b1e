"""Stigg's own client calls every operation that it has: a company's life with what is built, one call with the rest.

Whoever runs it is told what is covered of what is known, and the rest by name.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import stigg

from integrations import usage_sync
from integrations.api.registry import BUILT
from integrations.api.unbuilt import UNBUILT
from tests.integrations.api.sdk_operations import plain, required, sdk_operations
from tests.integrations.conftest import STORY_BEGINS, Story

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning"),  # the SDK calls its own v1 operation so
]

Call = Callable[[stigg.Stigg], Any]
COUPON: dict[str, Any] = dict.fromkeys(("amounts_off", "description", "duration_in_months", "metadata"))
FLAT: Any = {
    "pricing_type": "PAID",
    "pricing_models": [
        {
            "billing_model": "FLAT_FEE",
            "price_periods": [{"billing_period": "MONTHLY", "price": {"amount": 49, "currency": "usd"}}],
        }
    ],
}
USED: Any = {"customer_id": "acme", "feature_id": "calls", "value": 3}
HAPPENED: Any = {"customer_id": "acme", "event_name": "call", "idempotency_key": "e1"}
BUYS: Any = {"customer_id": "acme", "plan_id": "pro", "billing_period": "MONTHLY"}

ADDRESS: Any = {"line1": "Weg 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}

#: A company's life, in its order: each operation once or more. First it makes a catalog and sells ...
SELLING: tuple[tuple[str, Call], ...] = (
    ("products.create_product", lambda c: c.v1.products.create_product(id="app", display_name="App")),
    ("products.update_product", lambda c: c.v1.products.update_product("app", multiple_subscriptions=True)),
    ("products.list_products", lambda c: c.v1.products.list_products()),
    (
        "features.create_feature",
        lambda c: c.v1.features.create_feature(
            id="calls", display_name="Calls", feature_type="NUMBER", meter_type="INCREMENTAL"
        ),
    ),
    ("features.update_feature", lambda c: c.v1.features.update_feature("calls", feature_units="call")),
    ("features.archive_feature", lambda c: c.v1.features.archive_feature("calls")),
    ("features.unarchive_feature", lambda c: c.v1.features.unarchive_feature("calls")),
    ("features.retrieve_feature", lambda c: c.v1.features.retrieve_feature("calls")),
    ("features.list_features", lambda c: c.v1.features.list_features(status=["ACTIVE"])),
    ("addons.create", lambda c: c.v1.addons.create(id="more", display_name="More", product_id="app")),
    ("addons.update", lambda c: c.v1.addons.update("more", charges=FLAT)),
    ("addons.publish", lambda c: c.v1.addons.publish("more", migration_type="NEW_CUSTOMERS")),
    ("addons.create_draft", lambda c: c.v1.addons.create_draft("more")),
    ("addons.remove_draft", lambda c: c.v1.addons.remove_draft("more")),
    ("addons.retrieve", lambda c: c.v1.addons.retrieve("more")),
    ("addons.list", lambda c: c.v1.addons.list()),
    ("addons.list_charges", lambda c: c.v1.addons.list_charges("more")),
    ("plans.create", lambda c: c.v1.plans.create(id="pro", display_name="Pro", product_id="app")),
    ("plans.update", lambda c: c.v1.plans.update("pro", charges=FLAT, compatible_addon_ids=["more"])),
    ("plans.publish", lambda c: c.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")),
    ("plans.create_draft", lambda c: c.v1.plans.create_draft("pro")),
    ("plans.remove_draft", lambda c: c.v1.plans.remove_draft("pro")),
    ("plans.retrieve", lambda c: c.v1.plans.retrieve("pro")),
    ("plans.list", lambda c: c.v1.plans.list(status=["PUBLISHED"])),
    ("plans.list_charges", lambda c: c.v1.plans.list_charges("pro")),
    ("coupons.create", lambda c: c.v1.coupons.create(**COUPON | {"id": "ten", "name": "Ten", "percent_off": 10})),
    ("coupons.update_coupon", lambda c: c.v1.coupons.update_coupon("ten", name="Ten percent")),
    ("coupons.retrieve", lambda c: c.v1.coupons.retrieve("ten")),
    ("coupons.list", lambda c: c.v1.coupons.list(type="PERCENTAGE")),
    ("coupons.archive_coupon", lambda c: c.v1.coupons.archive_coupon("ten")),
    (
        "customers.provision",
        lambda c: c.v1.customers.provision(
            id="acme",
            name="Acme",
            email="billing@acme.example",
            passthrough={"zuora": {"currency": "usd", "billing_address": ADDRESS}},
        ),
    ),
    ("customers.provision", lambda c: c.v1.customers.provision(id="globex", name="Globex")),
    ("customers.update", lambda c: c.v1.customers.update("acme", name="Acme Corporation")),
    ("customers.retrieve", lambda c: c.v1.customers.retrieve("acme")),
    ("customers.list", lambda c: c.v1.customers.list()),
    (
        "customers.import_",
        lambda c: c.v1.customers.import_(customers=[{"id": "initech", "name": "Initech", "email": None}]),
    ),
    (
        "payment_method.attach",
        lambda c: c.v1.customers.payment_method.attach(
            "acme", integration_id="zuora", payment_method_id=f"{0:032x}", vendor_identifier="ZUORA"
        ),
    ),
    (
        "customers.integrations.link",
        lambda c: c.v1.customers.integrations.link(
            "initech", body_id="zuora", synced_entity_id="A-1", vendor_identifier="ZUORA"
        ),
    ),
    ("customers.integrations.list", lambda c: c.v1.customers.integrations.list("initech")),
    ("customers.integrations.retrieve", lambda c: c.v1.customers.integrations.retrieve("zuora", id="initech")),
    (
        "customers.integrations.update",
        lambda c: c.v1.customers.integrations.update("zuora", id="initech", synced_entity_id="A-2"),
    ),
    ("customers.integrations.unlink", lambda c: c.v1.customers.integrations.unlink("zuora", id="initech")),
    ("customers.archive", lambda c: c.v1.customers.archive("initech")),
    ("customers.unarchive", lambda c: c.v1.customers.unarchive("initech")),
    ("subscriptions.provision", lambda c: c.v1.subscriptions.provision(**BUYS, id="sub-1", resource_id="site-1")),
    ("customers.list_resources", lambda c: c.v1.customers.list_resources("acme")),
    ("subscriptions.retrieve", lambda c: c.v1.subscriptions.retrieve("sub-1")),
    ("subscriptions.list", lambda c: c.v1.subscriptions.list(customer_id="acme")),
    (
        "subscriptions.update",
        lambda c: c.v1.subscriptions.update("sub-1", addons=[{"id": "more", "quantity": 1}]),
    ),
    ("subscriptions.transfer", lambda c: c.v1.subscriptions.transfer("sub-1", destination_resource_id="site-2")),
    (
        "subscriptions.migrate",
        lambda c: c.v1.subscriptions.migrate("sub-1", subscription_migration_time="IMMEDIATE"),
    ),
    (
        "subscriptions.update",
        lambda c: c.v1.subscriptions.update("sub-1", addons=[], schedule_strategy="END_OF_BILLING_PERIOD"),
    ),
    ("future_update.cancel_schedule", lambda c: c.v1.subscriptions.future_update.cancel_schedule("sub-1")),
)
#: ... and when that is in Zuora it uses, and goes its ways.
USING: tuple[tuple[str, Call], ...] = (
    ("usage.report", lambda c: c.v1.usage.report(usages=[USED])),
    ("v2.usage.report", lambda c: c.v2.usage.report(usages=[USED])),
    ("events.report", lambda c: c.v1.events.report(events=[HAPPENED])),
    (
        "usage.history",
        lambda c: c.v1.usage.history("calls", customer_id="acme", start_date=STORY_BEGINS - timedelta(days=1)),
    ),
    ("subscriptions.usage.sync", lambda c: c.v1.subscriptions.usage.sync("sub-1")),
    ("subscriptions.delegate", lambda c: c.v1.subscriptions.delegate("sub-1", target_customer_id="globex")),
    ("subscriptions.cancel", lambda c: c.v1.subscriptions.cancel("sub-1", cancellation_time="IMMEDIATE")),
    (
        "subscriptions.import_",
        lambda c: c.v1.subscriptions.import_(
            subscriptions=[{"id": "sub-2", "customer_id": "globex", "plan_id": "pro", "billing_period": "MONTHLY"}]
        ),
    ),
    (
        "products.duplicate_product",
        lambda c: c.v1.products.duplicate_product("app", target_id="emea", display_name="EMEA"),
    ),
    ("payment_method.detach", lambda c: c.v1.customers.payment_method.detach("acme")),
    ("plans.archive", lambda c: c.v1.plans.archive("pro")),
    ("addons.archive", lambda c: c.v1.addons.archive("more")),
    ("products.archive_product", lambda c: c.v1.products.archive_product("app")),
    ("products.unarchive_product", lambda c: c.v1.products.unarchive_product("app")),
)
#: Answered as Stigg does when there is nothing to do it to, which is all that our model of payments allows here.
REFUSED: tuple[tuple[str, Call], ...] = (
    ("invoice.mark_as_paid", lambda c: c.v1.subscriptions.invoice.mark_as_paid("sub-2")),
    (
        "future_update.cancel_pending_payment",
        lambda c: c.v1.subscriptions.future_update.cancel_pending_payment("sub-2"),
    ),
)


class Heard:
    """Which operations were asked, by the paths of the registry."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, int]] = []

    def hook(self, answer: httpx.Response) -> None:
        self.answers.append((answer.request.method, answer.request.url.path, answer.status_code))

    def operations(self, of: Any) -> set[tuple[str, str]]:
        """Return those of the registry's operations that were asked."""
        asked = {(method, path) for method, path, _ in self.answers}
        return {
            (one.method, plain(one.path))
            for one in of
            if any(one.method == method and matches(one.path, path) for method, path in asked)
        }


def matches(written: str, asked: str) -> bool:
    steps, found = written.split("/"), asked.split("/")
    return len(steps) == len(found) and all(
        step.startswith("{") or step == at for step, at in zip(steps, found, strict=True)
    )


@pytest.fixture
def heard(http: httpx.Client) -> Iterator[Heard]:
    listening = Heard()
    http.event_hooks["response"].append(listening.hook)
    yield listening
    http.event_hooks["response"].clear()


def live(client: stigg.Stigg, story: tuple[tuple[str, Call], ...]) -> None:
    """Make the calls, and let the SDK read every page of the lists."""
    for name, call in story:
        answer = call(client)
        assert answer is not None, name
        if hasattr(answer, "iter_pages"):
            list(answer)


def test_the_sdk_lives_a_companys_life(
    client: stigg.Stigg,
    heard: Heard,
    story: Story,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every answer is read by the SDK's own models, strictly."""
    to_standin = partial(usage_sync.sync_now, open_client=lambda _: story.world.client)
    monkeypatch.setattr(usage_sync, "sync_now", to_standin)
    live(client, SELLING)
    story.settle()
    live(client, USING)
    for _, call in REFUSED:
        with pytest.raises((stigg.BadRequestError, stigg.ConflictError, stigg.NotFoundError)):
            call(client)

    known = sdk_operations(client)
    covered = heard.operations(BUILT)
    rest = set(known) - covered
    with capsys.disabled():
        print(f"\n{len(covered)} of the SDK's {len(known)} operations are covered; {len(rest)} are answered 501:")  # noqa: T201
        for place in sorted(rest):
            print(f"  {known[place][0]:<50} {' '.join(place)}")  # noqa: T201
    assert covered == {(one.method, plain(one.path)) for one in BUILT}
    assert rest == {(one.method, plain(one.path)) for one in UNBUILT}


def test_the_sdk_is_told_what_is_not_built(client: stigg.Stigg, heard: Heard) -> None:
    known = sdk_operations(client)
    for operation in UNBUILT:
        name, method = known[operation.method, plain(operation.path)]
        with pytest.raises(stigg.InternalServerError) as refused:
            method(**dict.fromkeys(required(method), "x"))
        assert (name, refused.value.status_code, refused.value.body["message"]) == (name, 501, operation.not_built)  # type: ignore[index]

    assert heard.operations(UNBUILT) == {(one.method, plain(one.path)) for one in UNBUILT}
    assert len(heard.answers) == len(UNBUILT)
