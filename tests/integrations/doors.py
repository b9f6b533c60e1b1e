"""Every address of the console: who may open it, and what becomes of each form.

Whoever adds an address adds a line here; `test_views_access` fails without, and proves each line.
"""

from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.utils import timezone

from integrations import api_keys, applying
from integrations.models import (
    ApiKey,
    Connection,
    EntityKind,
    Operation,
    OperationState,
    Scope,
    StiggAccount,
    StiggEvent,
    SyncJob,
    SyncRecord,
    SyncStatus,
)
from integrations.sections import SECTIONS
from integrations.views import previews
from subscriptions.models import Subscription
from tests.integrations import usage_doors
from tests.integrations.door import Form

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLANS, SUBSCRIPTIONS = SECTIONS["plans"], SECTIONS["subscriptions"]


#: The least role for each page; arguments are made by `arguments_of`.
PAGES = {
    "overview": "Viewer",
    "problems": "Viewer",
    "activity": "Viewer",
    "entities": "Viewer",
    "entities_export": "Viewer",
    "entity": "Viewer",
    "entity_cancel_there": "Operator",
    "apps": "Viewer",
    "api_docs": "Viewer",
    "audit_log": "Viewer",
    "audit_export": "Viewer",
    "request_log": "Viewer",
    "request": "Viewer",
    "account": "Viewer",
    "background": "Viewer",
    "operation": "Viewer",
    "operation_csv": "Viewer",
    "entity_preview": "Viewer",
    "zuora": "Administrator",
    "zuora_remove": "Administrator",
    "stigg": "Administrator",
    "stigg_remove": "Administrator",
    "api_keys": "Administrator",
    "api_key_revoke": "Administrator",
    "people": "Administrator",
    "person": "Administrator",
    **usage_doors.PAGES,
}
#: Addresses of forms that lead back to their page when somebody opens or reloads them: a refused form stands there.
LEADING_BACK = {
    "zuora_switches",
    "zuora_credentials",
    "zuora_test",
    "person_deactivate",
    "person_activate",
    "person_link",
    "stigg_import",
    "stigg_secret",
    "stigg_replay",
}
#: What opens for everybody: the way in, and out. Their forms have tests of their own.
PUBLIC = {"login", "logout", "choose_password"}


def pro() -> list[object]:
    return [PLANS, "pro"]


def failed() -> SyncJob:
    return SyncJob.objects.create(
        connection=Connection.objects.get(), kind=EntityKind.PLAN, entity_id=PLANS.get("pro").pk, key="plan:pro",
        state="FAILED", reason="made up", cause="made up", not_before=NOW, created_at=NOW,
    )  # fmt: skip


def stopped() -> None:
    """Let every record be linked, and its sync be stopped."""
    SyncRecord.objects.update(zuora_id="a" * 32, status=SyncStatus.NO_SYNC_REQUIRED)


def key() -> list[object]:
    found = ApiKey.objects.first() or api_keys.create(name="Checkout", scope=Scope.USAGE, actor=None, now=NOW)[0]
    return [found.pk]


def viewer() -> list[object]:
    return [User.objects.get(username="viewer").pk]


def deactivated() -> list[object]:
    return [User.objects.get_or_create(username="ella", is_active=False)[0].pk]


def unconnected() -> None:
    Connection.objects.update(removed_at=NOW)


def operation() -> list[object]:
    at = {"created_at": NOW, "not_before": NOW}
    return [Operation.objects.get_or_create(kind="made-up", defaults={"title": "made up", **at})[0].pk]


def paused() -> None:
    operation()
    Operation.objects.update(state=OperationState.PAUSED)


def stigg() -> StiggAccount:
    values = {"base_url": "https://api.stigg.io", "api_key": "made-up", "connected_at": NOW}
    return StiggAccount.objects.get_or_create(hook_path="made-up", defaults=values)[0]


def with_stigg() -> list[object]:
    stigg()
    return []


def stigg_event() -> list[object]:
    values = {"type": "customer.updated", "body": "{}", "received_at": NOW, "not_before": NOW}
    return [StiggEvent.objects.get_or_create(account=stigg(), message_id="m1", defaults=values)[0].pk]


def previewed() -> list[object]:
    """Return a preview of a list that has ended and shows something to send."""
    at = {"created_at": NOW, "not_before": NOW}
    values = {"title": "made up", "state": OperationState.DONE, "parameters": {"kind": "plan"}, **at}
    made, _ = Operation.objects.get_or_create(kind="preview", defaults=values)
    made.lines.get_or_create(key="plan:pro", outcome="Would update", detail={"id": 1, "digest": ""})
    return [made.pk]


def _seen() -> dict[str, str]:
    """Return what the preview's form sends."""
    plan = PLANS.get("pro")
    seen = applying.preview_entity(
        kind=EntityKind.PLAN, entity_id=plan.pk, now=timezone.now(), open_client=vars(previews)["client_for"]
    )
    return {"digest": seen.digest}


_TENANT = {"client_id": "demo-client", "client_secret": "demo-secret"}
FORMS = {
    "entity_sync": Form("Operator", "sync", "is on its way", arguments=pro),
    "entity_keep": Form("Operator", "keep in Zuora", "It stays in Zuora as it is.", arguments=pro, prepare=stopped),
    "entity_cancel_there": Form(
        "Operator",
        "cancel in Zuora",
        "It is being cancelled in Zuora.",
        arguments=lambda: [SUBSCRIPTIONS, Subscription.objects.get().ref_id],
        prepare=stopped,
    ),
    "problems_retry": Form("Operator", "sync", "1 on its way again.", {"cause": "made up"}, prepare=failed),
    "problems_dismiss": Form(
        "Operator",
        "dismiss",
        "1 is off the list.",
        {"reason": "made up, too"},
        prepare=failed,
        ticked=lambda: {"job": SyncJob.objects.get(state="FAILED").pk},
    ),
    "problems_keep": Form(
        "Operator",
        "keep in Zuora",
        "1 is to stay in Zuora.",
        prepare=stopped,
        ticked=lambda: {"record": SyncRecord.objects.get(key="plan:pro").pk},
    ),
    "look_in_zuora": Form(
        "Operator",
        "look in Zuora",
        "In Zuora now",
        arguments=lambda: [Subscription.objects.get().ref_id],
        prepare=stopped,
    ),
    "sync_everything": Form("Operator", "sync everything", "Everything is being looked at."),
    "operation_pause": Form("Operator", "pause", "It stands.", arguments=operation),
    "operation_resume": Form("Operator", "resume", "It goes on", arguments=operation, prepare=paused),
    "operation_cancel": Form("Operator", "cancel", "It is cancelled.", arguments=operation),
    "list_preview": Form("Operator", "preview", "Nothing is sent.", arguments=lambda: [PLANS]),
    "operation_apply": Form(
        "Operator", "apply previews", "It is being applied", arguments=previewed, prepare=previewed
    ),
    "entity_apply": Form("Operator", "apply preview", "on its way, as the preview showed", arguments=pro, ticked=_seen),
    "zuora": Form(
        "Administrator",
        "connect",
        "Connected to tenant 10042.",
        {"tenant_url": "https://test.zuora.com", "time_zone": "UTC", **_TENANT},
        prepare=unconnected,
    ),
    "zuora_switches": Form("Administrator", "switch", "Saved.", {"time_zone": "UTC", "sync_customers": "on"}),
    "zuora_credentials": Form("Administrator", "change credentials", "The new credentials work", _TENANT),
    "zuora_test": Form("Administrator", "test connection", "The connection works."),
    "zuora_remove": Form(
        "Administrator", "remove", "test.zuora.com is no longer connected.", {"host": "test.zuora.com"}
    ),
    "stigg": Form(
        "Administrator", "connect Stigg", "Stigg is connected.", {"base_url": "https://api.stigg.io", "api_key": "x"}
    ),
    "stigg_import": Form("Administrator", "import from Stigg", "The import runs.", prepare=stigg),
    "stigg_secret": Form(
        "Administrator", "change Stigg webhook secret", "is saved.", {"hook_secret": "made-up"}, prepare=stigg
    ),
    "stigg_remove": Form("Administrator", "remove Stigg", "Stigg is no longer connected.", prepare=stigg),
    "stigg_replay": Form("Administrator", "replay Stigg event", "is looked at again.", arguments=stigg_event),
    "api_keys": Form(
        "Administrator", "make API key", "Checkout can be used from now on.", {"name": "Checkout", "scope": "USAGE"}
    ),
    "api_key_revoke": Form("Administrator", "revoke API key", "Checkout is revoked", arguments=key),
    "people": Form("Administrator", "invite", "eve is invited.", {"username": "eve", "role": "Viewer"}),
    "person": Form("Administrator", "change role", "viewer is operator", {"role": "Operator"}, arguments=viewer),
    "person_deactivate": Form("Administrator", "deactivate", "viewer is deactivated", arguments=viewer),
    "person_activate": Form("Administrator", "activate", "ella can log in again.", arguments=deactivated),
    "person_link": Form("Administrator", "make password link", "The old password of viewer", arguments=viewer),
    "account": Form(
        "Viewer",
        "choose password",
        "Your new password holds from now on.",
        {
            "old_password": "made-up-password-1",
            "new_password1": "another-made-up-password",
            "new_password2": "another-made-up-password",
        },
    ),
    **usage_doors.FORMS,
}
