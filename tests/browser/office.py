"""What an administrator's pages show of the scene: keys, people, and who did what."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User

from integrations import api_keys, operating, people
from integrations.models import Scope
from integrations.people import Role


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
