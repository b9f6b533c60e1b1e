"""Applying what a preview showed: only while neither side has moved."""

from typing import Any

import pytest

from customers.models import Customer
from integrations import applying, operating, operations
from integrations.bulk import KINDS, previews
from integrations.models import AuditEntry, EntityKind, Operation, Priority, SyncJob
from integrations.operating import Impossible
from integrations.previewing import Preview
from tests.factories.customers import CustomerFactory
from tests.integrations.conftest import World

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
CITY = CustomerFactory.build().billing_city
FORCED = {"ZUORA__Segment": "made-up"}


@pytest.fixture
def three(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three customers in Zuora, renamed here without a signal; whoever rings rings nobody."""
    for module in (operating, applying):
        monkeypatch.setattr(module, "ring_operation", lambda *_args, **_more: None)
    monkeypatch.setattr(previews, "client_for", lambda _: world.client)
    for ref in ("a", "b", "c"):
        CustomerFactory.create(ref_id=ref, metadata=FORCED)
    world.settle()
    Customer.objects.update(billing_city="Bremen")
    return world


def customer(ref: str) -> Customer:
    return Customer.objects.get(ref_id=ref)


def look(world: World, ref: str) -> Preview:
    return applying.preview_entity(
        kind=EntityKind.CUSTOMER, entity_id=customer(ref).pk, now=world.now, open_client=lambda _: world.client
    )


def apply(world: World, ref: str, digest: str) -> None:
    applying.apply_preview(
        kind=EntityKind.CUSTOMER, entity_id=customer(ref).pk, digest=digest, actor=None, now=world.now,
        open_client=lambda _: world.client,
    )  # fmt: skip


def type_in_zuora(world: World, ref: str) -> None:
    world.client.update_account(world.record(f"customer:{ref}").zuora_id, {"name": "Typed in Zuora"})


def test_what_was_shown_is_pushed_at_a_clicks_priority(three: World) -> None:
    apply(three, "a", look(three, "a").digest)
    assert list(SyncJob.objects.waiting().values_list("key", "priority")) == [("customer:a", Priority.CLICK)]
    assert AuditEntry.objects.get(action="apply preview").detail == {"requests": 1}
    three.settle()
    assert look(three, "a").outcome == "Unchanged"


@pytest.mark.parametrize(
    ("here", "there", "side"), [(True, False, "here"), (False, True, "in Zuora"), (True, True, "here and in Zuora")]
)
def test_it_is_refused_when_either_side_has_moved(three: World, here: bool, there: bool, side: str) -> None:
    digest = look(three, "a").digest
    if here:
        Customer.objects.update(billing_city="Hamburg")
    if there:
        type_in_zuora(three, "a")
    with pytest.raises(Impossible, match=f"Something changed {side} since that preview, so nothing was sent"):
        apply(three, "a", digest)
    assert not SyncJob.objects.waiting().exists()
    assert not AuditEntry.objects.filter(action="apply preview").exists()


def test_nothing_to_send_and_no_tenant_are_sentences(three: World) -> None:
    Customer.objects.update(billing_city=CITY)
    seen = look(three, "a")
    with pytest.raises(Impossible, match="There is nothing to send"):
        apply(three, "a", seen.digest)
    three.app.control.set_switches(user_active=False)
    with pytest.raises(Impossible, match="Zuora cannot be asked"):
        look(three, "a")
    three.app.control.set_switches(user_active=True)
    three.connection.removed_at = three.now
    three.connection.save()
    with pytest.raises(Impossible, match="Zuora is not connected"):
        look(three, "a")


def begin(world: World) -> Operation:
    ids = list(Customer.objects.order_by("pk").values_list("pk", flat=True))
    return applying.preview_many(
        kind=EntityKind.CUSTOMER, entity_ids=ids, what="3 customers", actor=None, now=world.now
    )


def outcomes(operation: Operation) -> list[tuple[str, str]]:
    return list(operation.lines.values_list("key", "outcome"))


def test_a_list_is_previewed_line_by_line_and_nothing_is_written_in_zuora(
    three: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_CHUNK", 2)
    type_in_zuora(three, "c")
    three.calls()
    operation = begin(three)
    operation = three.work(operation)
    assert set(three.calls()) == {"GET /v1/accounts/{key}"}
    assert (operation.state, operation.done, operation.total) == ("DONE", 3, 3)
    assert operation.tally == {"Would update": 3}
    shown: Any = operation.lines.get(key="customer:c").detail
    assert {one["name"]: (one["now"], one["drifted"]) for one in shown["objects"][0]["fields"]}["name"] == (
        "Typed in Zuora",
        True,
    )


def test_all_of_it_is_applied_but_what_has_moved_since(three: World) -> None:
    shown = three.work(begin(three))
    type_in_zuora(three, "b")
    Customer.objects.filter(ref_id="c").update(billing_city="Hamburg")
    three.calls()
    applied = three.work(applying.apply_many(operation=shown, actor=None, now=three.now))
    assert (applied.state, applied.total, applied.done) == ("DONE", 3, 3)
    assert applied.tally == {"Synced": 1, "Changed since the preview": 2}
    assert sorted(outcomes(applied)) == [
        ("customer:b", "Changed since the preview"),
        ("customer:c", "Changed since the preview"),
    ]
    assert three.calls()["PUT /v1/accounts/{key}"] == 1


def test_a_preview_is_applied_once_at_a_time_and_only_when_it_has_ended(three: World) -> None:
    shown = begin(three)
    with pytest.raises(Impossible, match="Only a preview that has ended"):
        applying.apply_many(operation=shown, actor=None, now=three.now)
    three.work(shown)
    applying.apply_many(operation=shown, actor=None, now=three.now)
    with pytest.raises(Impossible, match="is not finished yet"):
        applying.apply_many(operation=shown, actor=None, now=three.now)


def test_a_preview_that_shows_nothing_to_send_has_nothing_to_apply(three: World) -> None:
    Customer.objects.update(billing_city=CITY)
    shown = three.work(begin(three))
    assert shown.tally == {"Unchanged": 3}
    with pytest.raises(Impossible, match="It showed nothing to send"):
        applying.apply_many(operation=shown, actor=None, now=three.now)
    assert not Operation.objects.filter(kind="apply").exists()


def test_a_list_that_is_empty_or_too_long_is_refused(three: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MOST", 2)
    for ids, sentence in (([], "The list is empty"), ([1, 2, 3], "at most 2")):
        with pytest.raises(Impossible, match=sentence):
            applying.preview_many(kind=EntityKind.CUSTOMER, entity_ids=ids, what="", actor=None, now=three.now)


def test_a_tenant_that_is_away_lets_the_preview_wait(three: World) -> None:
    three.app.control.set_switches(user_active=False)
    operation = begin(three)
    operations.run(operation_id=operation.pk, kinds=KINDS, worker="w", clock=three.clock)
    operation.refresh_from_db()
    assert (operation.state, operation.done) == ("RUNNING", 0)
    assert operation.reason != ""
    three.app.control.set_switches(user_active=True)
    three.advance(minutes=1)
    assert three.work(operation).done == 3
