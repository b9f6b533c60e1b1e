"""Connects a tenant, looks after it, and lets go of it: what an administrator does."""

from collections.abc import Callable, Generator
from datetime import datetime
from typing import NoReturn

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from catalog.models import Feature, Price
from integrations import operating, usage_delivery
from integrations.models import Connection, JobState, SyncJob
from integrations.outbox import worker_name
from integrations.zuora.client import Client
from integrations.zuora.doctor import Examination, Outcome, Step, examination
from integrations.zuora.hosts import UnknownHostError, normalise_tenant_url
from integrations.zuora.mapping.refusal import Refusals
from integrations.zuora.mapping.unit import unit_of
from integrations.zuora.tenant import client_for, client_with


class ConnectionRefused(Exception):  # noqa: N818 - it is an answer, not a mistake in the program
    """The tenant cannot be used as it is: `steps` say why. Nothing was saved."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__(" ".join(step.saw for step in steps if step.outcome is Outcome.FAILED))
        self.steps = steps


#: Work that yields each step of the examination as it ends, and comes to the connection.
ByStep = Generator[Step, None, Connection]


def connect(
    *,
    tenant_url: str,
    client_id: str,
    client_secret: str,
    sync_customers: bool,
    sync_subscriptions: bool,
    actor: User | None,
    now: datetime,
    time_zone: str = "UTC",
) -> ByStep:
    """Examine the tenant, save the connection, and have everything looked at.

    A tenant that was connected before gets its old connection back, and so its links; another one starts afresh. To be
    called outside a transaction: the examination waits for Zuora.

    Raises:
        ConnectionRefused: a step failed, or another tenant is connected; nothing was saved.
    """
    rest_url = _rest_url(tenant_url)
    _refuse_a_second(rest_url)
    seen = yield from _examine(
        rest_url=rest_url, client_id=client_id, client_secret=client_secret, time_zone=time_zone, now=now
    )
    tenant_id = seen.tenant_id or client_id[:64]
    connection = Connection.objects.filter(rest_url=rest_url, tenant_id=tenant_id).first() or Connection(
        rest_url=rest_url, tenant_id=tenant_id, key_prefix=settings.ZUORA_KEY_PREFIX
    )
    known = connection.pk is not None
    _use_credentials(connection, client_id, client_secret, now)
    connection.sync_customers, connection.sync_subscriptions = sync_customers, sync_subscriptions
    connection.findings, connection.time_zone = seen.findings, time_zone
    connection.connected_at, connection.removed_at = now, None
    connection.paused_until, connection.pause_reason, connection.down_since = None, "", None
    try:
        with transaction.atomic():
            connection.save()
            operating.note(actor=actor, action="connect", subject=str(connection), now=now, known=known)
            operating.sync_everything(actor=actor, now=now, afresh=True)
    except IntegrityError:  # only one may be in use, and somebody else was quicker
        _refuse("Connection", "Another connection was made meanwhile.", "Look at it before you connect again.")
    return connection


def change_credentials(
    *, connection: Connection, client_id: str, client_secret: str, actor: User | None, now: datetime
) -> ByStep:
    """Take another OAuth client of the same tenant, once it has been examined. To be called outside a transaction.

    Raises:
        ConnectionRefused: a step failed, or they open another tenant; nothing was saved.
    """
    seen = yield from _examine(
        rest_url=connection.rest_url,
        client_id=client_id,
        client_secret=client_secret,
        time_zone=connection.time_zone,
        now=now,
    )
    if seen.tenant_id and seen.tenant_id != connection.tenant_id:
        _refuse(
            "Tenant",
            f"These credentials open tenant {seen.tenant_id}; the links are those of tenant {connection.tenant_id}.",
            "Take an OAuth client of the same tenant, or remove this connection and connect the other tenant.",
        )
    with transaction.atomic():
        _use_credentials(connection, client_id, client_secret, now)
        connection.findings = seen.findings
        connection.save(update_fields=["client_id", "client_secret", "credentials_since", "findings", "updated_at"])
        connection.mark_up()
        operating.note(actor=actor, action="change credentials", subject=str(connection), now=now)
    return connection


def examine_again(*, connection: Connection, actor: User | None, now: datetime) -> ByStep:
    """Examine the tenant in use and keep the findings, unless something failed. Outside a transaction.

    Raises:
        ConnectionRefused: a step failed.
    """
    refused: ConnectionRefused | None = None
    try:
        seen = yield from _examine(
            rest_url=connection.rest_url,
            client_id=connection.client_id,
            client_secret=connection.client_secret,
            time_zone=connection.time_zone,
            now=now,
        )
        connection.findings = seen.findings
    except ConnectionRefused as refusal:
        refused = refusal
    with transaction.atomic():
        if refused is None:
            connection.save(update_fields=["findings", "updated_at"])
            connection.mark_up()
        operating.note(actor=actor, action="test connection", subject=str(connection), now=now, passed=refused is None)
    if refused:
        raise refused
    return connection


def switch(
    *,
    connection: Connection,
    sync_customers: bool,
    sync_subscriptions: bool,
    time_zone: str,
    actor: User | None,
    now: datetime,
) -> None:
    """Set the switches and the tenant's time zone, and have everything looked at again: the rules see another world."""
    with transaction.atomic():
        connection.sync_customers, connection.sync_subscriptions = sync_customers, sync_subscriptions
        connection.time_zone = time_zone
        connection.save(update_fields=["sync_customers", "sync_subscriptions", "time_zone", "updated_at"])
        operating.note(
            actor=actor,
            action="switch",
            subject=str(connection),
            now=now,
            sync_customers=sync_customers,
            sync_subscriptions=sync_subscriptions,
            time_zone=time_zone,
        )
        operating.sync_everything(actor=actor, now=now, afresh=True)


def remove(
    *,
    connection: Connection,
    actor: User | None,
    now: datetime,
    open_client: Callable[[Connection], Client] = client_for,
) -> int:
    """Let go of the tenant: what waits is cancelled, the secret forgotten; the links stay for a reconnect.

    Usage up to now is sent before, as far as Zuora takes it; return how many records it was not seen to take, which
    the audit log says as well. What is being sent at this moment ends by itself. To be called outside a transaction:
    it waits for Zuora.
    """
    unsent = usage_delivery.push_last(
        connection=connection, worker=worker_name(), clock=lambda: now, open_client=open_client
    )
    with transaction.atomic():
        connection.removed_at = now
        connection.client_secret = ""
        connection.save(update_fields=["removed_at", "client_secret", "updated_at"])
        # What is deleted in all counts their attempts, too.
        _, gone = SyncJob.objects.filter(connection=connection, state=JobState.WAITING).delete()
        operating.note(
            actor=actor,
            action="remove",
            subject=str(connection),
            now=now,
            cancelled=gone.get(SyncJob._meta.label, 0),  # noqa: SLF001 - Django's own way to a model's name
            usage_not_sent=unsent,
        )
    return unsent


def _rest_url(tenant_url: str) -> str:
    try:
        return normalise_tenant_url(tenant_url, settings.ZUORA_EXTRA_HOSTS)
    except UnknownHostError as error:
        _refuse("Tenant URL", str(error), "Give the address at which you open Zuora.")


def _refuse_a_second(rest_url: str) -> None:
    present = Connection.objects.active().defer("client_secret").first()
    if present:
        _refuse("Connection", f"{present} is connected.", f"Remove it before you connect {rest_url}.")


def _examine(
    *, rest_url: str, client_id: str, client_secret: str, time_zone: str, now: datetime
) -> Generator[Step, None, Examination]:
    client = client_with(rest_url=rest_url, client_id=client_id, client_secret=client_secret)
    seen = yield from examination(client=client, now=now, time_zone=time_zone, units=_units_of_catalog())
    if not seen.ok:
        raise ConnectionRefused(seen.steps)
    return seen


def _units_of_catalog() -> list[str]:
    features = Feature.objects.filter(pk__in=Price.objects.exclude(feature=None).values("feature"))
    refusals = Refusals()  # what cannot be a unit is told with the plan that has it
    return [unit.name for one in features if (unit := unit_of(one, refusals)) is not None]


def _use_credentials(connection: Connection, client_id: str, client_secret: str, now: datetime) -> None:
    connection.client_id, connection.client_secret = client_id, client_secret
    connection.credentials_since = now  # the workers open a new client by it


def _refuse(name: str, saw: str, cure: str) -> NoReturn:
    raise ConnectionRefused((Step(name, Outcome.FAILED, saw, cure),))
