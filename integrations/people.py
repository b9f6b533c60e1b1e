"""People and their roles: invited, given another role, let in no more; each leaves a line in the audit log."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import Group, User
from django.db import models, transaction
from django.db.models import QuerySet

from integrations.operating import Impossible, note


class Role(models.TextChoices):
    """What a person may do; each is a group of the same name that a migration made."""

    VIEWER = "Viewer", "Viewer: reads everything"
    OPERATOR = "Operator", "Operator: also syncs, retries, decides"
    ADMINISTRATOR = "Administrator", "Administrator: also connects, makes keys, invites people"


def role_of(user: User) -> Role | None:
    """Return the highest role that the user's groups give; a superuser counts as administrator."""
    names = {group.name for group in user.groups.all()}
    held = [role for role in Role if role in names or (user.is_superuser and role is Role.ADMINISTRATOR)]
    return held[-1] if held else None


@transaction.atomic
def invite(*, username: str, email: str, role: Role, actor: User | None, now: datetime) -> User:
    """Make an account that cannot be used yet: its owner chooses the password by a link that works once."""
    user = User(username=username, email=email, date_joined=now)
    user.set_unusable_password()
    user.full_clean(exclude=["password"])
    user.save()
    _give(user, role)
    note(actor=actor, action="invite", subject=user.username, now=now, role=role.value)
    return user


@transaction.atomic
def change_role(*, user: User, role: Role, actor: User | None, now: datetime) -> None:
    """Let the user do what the role may, and nothing else; it holds from their next click on.

    Raises:
        Impossible: it is oneself, a superuser, or the last administrator.
    """
    user = _locked(user)
    _refuse_oneself(user, actor, "change your own role")
    _refuse_superuser(user)
    _refuse_the_last(user, still_one=role is Role.ADMINISTRATOR)
    before = role_of(user)
    _give(user, role)
    note(actor=actor, action="change role", subject=user.username, now=now, was=before or "none", role=role.value)


@transaction.atomic
def deactivate(*, user: User, actor: User | None, now: datetime) -> None:
    """Let the user in no more; whoever is logged in as them is logged out by that. The audit log keeps the name.

    Raises:
        Impossible: it is oneself, a superuser of somebody who is none, the last administrator, or done already.
    """
    user = _locked(user)
    _refuse_oneself(user, actor, "deactivate yourself")
    _refuse_stronger(user, actor)
    _refuse_the_last(user, still_one=False)
    if not user.is_active:
        raise Impossible(f"{user} is deactivated already.")
    user.is_active = False
    user.save(update_fields=["is_active"])
    note(actor=actor, action="deactivate", subject=user.username, now=now)


@transaction.atomic
def activate(*, user: User, actor: User | None, now: datetime) -> None:
    """Let the user in again, with the password and the role that they had.

    Raises:
        Impossible: it is done already, or a superuser of somebody who is none.
    """
    user = _locked(user)
    _refuse_stronger(user, actor)
    if user.is_active:
        raise Impossible(f"{user} is active already.")
    user.is_active = True
    user.save(update_fields=["is_active"])
    note(actor=actor, action="activate", subject=user.username, now=now)


@transaction.atomic
def forget_password(*, user: User, actor: User | None, now: datetime) -> User:
    """Let the old password and every session end, so that a new one is chosen by a link that works once.

    Raises:
        Impossible: it is oneself, deactivated, the last administrator, or a superuser of somebody who is none.
    """
    user = _locked(user)
    _refuse_oneself(user, actor, "make a link for yourself: change your password at Your account")
    _refuse_stronger(user, actor)
    _refuse_the_last(user, still_one=False)
    if not user.is_active:
        raise Impossible(f"{user} is deactivated: activate the account first.")
    user.set_unusable_password()
    user.save(update_fields=["password"])
    note(actor=actor, action="make password link", subject=user.username, now=now)
    return user


def password_chosen(*, user: User, now: datetime) -> None:
    """Leave a line when somebody has chosen their own password."""
    note(actor=user, action="choose password", subject=user.username, now=now)


def administrators() -> QuerySet[User]:
    """Return who can administer: whoever was invited, and has chosen no password yet, cannot."""
    strong = models.Q(is_superuser=True) | models.Q(groups__name=Role.ADMINISTRATOR)
    able = User.objects.filter(strong, is_active=True).exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return able.distinct()


@transaction.atomic
def nobody_administers_without(users: Iterable[User]) -> bool:
    """Return whether the last who can administer are among these; it stays so until the transaction ends."""
    _one_at_a_time()
    able = set(administrators().values_list("pk", flat=True))
    return bool(able) and able <= {user.pk for user in users}


def _give(user: User, role: Role) -> None:
    # Groups that a company has cut for itself stay.
    user.groups.remove(*Group.objects.filter(name__in=Role.values))
    user.groups.add(Group.objects.get(name=role.value))
    user.is_staff = role is not Role.VIEWER  # raw rows are for those who may do something about them
    user.save(update_fields=["is_staff"])


def _one_at_a_time() -> None:
    # Two administrators who deactivate each other must not both succeed.
    list(Group.objects.select_for_update().filter(name=Role.ADMINISTRATOR))


def _locked(user: User) -> User:
    _one_at_a_time()
    return User.objects.get(pk=user.pk)


def _refuse_oneself(user: User, actor: User | None, what: str) -> None:
    if actor is not None and user.pk == actor.pk:
        raise Impossible(f"You cannot {what}.")


def _refuse_superuser(user: User) -> None:
    if user.is_superuser:
        raise Impossible(f"{user} is a superuser and may do everything: that is changed in the raw rows only.")


def _refuse_stronger(user: User, actor: User | None) -> None:
    if user.is_superuser and actor is not None and not actor.is_superuser:
        raise Impossible(f"{user} is a superuser: only another superuser can do this.")


def _refuse_the_last(user: User, *, still_one: bool) -> None:
    if not still_one and nobody_administers_without([user]):
        raise Impossible(f"{user} is the last administrator: make somebody else one first.")
