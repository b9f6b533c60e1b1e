"""What an administrator's pages show of the scene: keys, people, and who did what."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from integrations import api_keys, operating, people
from integrations.models import Operation, OperationState, Scope, StiggAccount, StiggEvent, StiggEventState
from integrations.people import Role
from integrations.stigg.importing import IMPORT


def furnish(now: datetime) -> None:
    """Make keys, an invited and a deactivated person, and some lines of the audit log, by the verbs that people use."""
    ada = User.objects.get(username="administrator")
    operator = User.objects.get(username="operator")
    User.objects.filter(pk=operator.pk).update(email="operations@workbench.example")
    days = iter(now - timedelta(days=days, minutes=days * 7) for days in range(12, 0, -1))
    operating.note(
        actor=ada,
        action="connect",
        subject="Zuora tenant 10042 at https://rest.na.zuora.com",
        now=next(days),
        known=False,
    )
    checkout, _ = api_keys.create(name="Checkout, production", scope=Scope.WRITE, actor=ada, now=next(days))
    old, _ = api_keys.create(name="Old importer", scope=Scope.USAGE, actor=ada, now=next(days))
    api_keys.create(name="Metering", scope=Scope.USAGE, actor=ada, now=next(days))
    api_keys.revoke(key=old, actor=ada, now=next(days))
    checkout.mark_used(now=now - timedelta(minutes=3))
    people.invite(username="finance", email="finance@workbench.example", role=Role.VIEWER, actor=ada, now=next(days))
    gone = people.invite(username="intern", email="", role=Role.OPERATOR, actor=ada, now=next(days))
    people.change_role(user=gone, role=Role.VIEWER, actor=ada, now=next(days))
    people.deactivate(user=gone, actor=ada, now=next(days))
    operating.note(actor=operator, action="sync", subject="2 x Plan", now=next(days), keys=["plan:team", "plan:scale"])
    operating.note(
        actor=operator, action="dismiss", subject="plan:scale", now=next(days), reason="The unit is made on Monday."
    )
    _read_from_stigg(now)


def _read_from_stigg(now: datetime) -> None:
    """Connect a Stigg environment that was imported, and has told of changes since."""
    account = StiggAccount.objects.create(
        base_url="https://api.stigg.io",
        api_key="made-up",
        hook_path="made-up-path",
        connected_at=now - timedelta(days=9),
    )
    Operation.objects.create(
        kind=IMPORT, title="Import from Stigg", state=OperationState.DONE, total=1204, done=1204, failed=2,
        started_by_name="operator",
        created_at=now - timedelta(days=9), not_before=now, finished_at=now - timedelta(days=9),
    )  # fmt: skip
    told = (
        ("customer.updated", "customer", "customer-aurora", StiggEventState.DONE, ""),
        ("subscription.created", "subscription", "subscription-birch", StiggEventState.WAITING, ""),
        ("entitlement.granted", "", "", StiggEventState.UNKNOWN, "It says nothing of what is synced."),
        (
            "subscription.updated", "subscription", "subscription-with-a-rather-long-id-of-its-own-0123456789",
            StiggEventState.FAILED, "Stigg does not tell how many seats it has: it is left as it was.",
        ),
    )  # fmt: skip
    for number, (type_, kind, ref_id, state, reason) in enumerate(told):
        StiggEvent.objects.create(
            account=account, message_id=f"made-up-{number}", type=type_, kind=kind, ref_id=ref_id, body="{}",
            received_at=now - timedelta(minutes=40 - number), not_before=now, state=state, reason=reason,
        )  # fmt: skip
