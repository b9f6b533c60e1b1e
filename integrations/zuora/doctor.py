"""Examines a tenant before we trust it with work: step by step, by calls that change nothing there."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import uuid4

from integrations.zuora.auth import Identity
from integrations.zuora.client import Client
from integrations.zuora.errors import Forbidden, NotFound, Rejected, Unauthorized, ZuoraError

#: What we write into the tenant's objects where it has the fields, each a text of 255 characters.
CUSTOM_FIELDS = {
    "Product": ("stiggEntityUrl__c",),
    "Account": ("stiggEntityUrl__c", "stiggCustomerId__c"),
    "Subscription": ("stiggEntityUrl__c", "stiggCustomerId__c", "stiggResourceId__c"),
}
CLOCKS_MAY_DIFFER = timedelta(minutes=2)
_NOBODY = "0" * 32  # well-formed, and no object's id
_ROLES = (
    "In Zuora, open Settings > Administration > Manage Users, and give the API user the roles API User (Zuora Platform)"
    " and Zuora Billing Standard User (Billing)."
)
T = TypeVar("T")


class Outcome(StrEnum):
    PASSED = "passed"
    WARNING = "warning"  # it works with less
    FAILED = "failed"
    SKIPPED = "skipped"  # a step before it failed


@dataclass(frozen=True)
class Step:
    """One thing that was tried: what was seen, and what to do where that was not right."""

    name: str
    outcome: Outcome
    saw: str
    cure: str = ""

    @property
    def ok(self) -> bool:
        """Whether it need not hold up a connection."""
        return self.outcome in {Outcome.PASSED, Outcome.WARNING}


@dataclass(frozen=True)
class Examination:
    """All steps in order, the tenant's identity, and the findings that the sync works by.

    Findings: `{"custom_fields": {"Product": [...], "Account": [...], "Subscription": [...]}, "settings_api": bool,
    "steps": [{"name", "outcome", "saw", "cure"}], "examined_at": ISO time}`.
    """

    steps: tuple[Step, ...]
    tenant_id: str
    findings: dict[str, Any]

    @property
    def ok(self) -> bool:
        return all(step.ok for step in self.steps)


def examine(*, client: Client, now: datetime) -> Examination:
    """Try everything that the sync will need, and say what is missing; nothing in the tenant is changed.

    It raises nothing of Zuora's: what goes wrong is a step's outcome.
    """
    steps, identity = _enter(client)
    if identity is None:
        return Examination(steps, "", {})
    reading, answered_at = _try("Reading", client.check_connection, "The catalog can be read.", _ROLES)
    fields_step, custom_fields = _custom_fields(client)
    units_step, settings_api = _units(client)
    steps += (
        reading,
        _clock(answered_at, now),
        _object_query(client),
        _orders(client, now),
        _writing(client),
        fields_step,
        units_step,
    )
    findings = {
        "custom_fields": custom_fields,
        "settings_api": settings_api,
        "steps": [asdict(step) for step in steps],
        "examined_at": now.isoformat(),
    }
    return Examination(steps, identity.tenant, findings)


def _enter(client: Client) -> tuple[tuple[Step, ...], Identity | None]:
    host = client.base_url
    try:
        identity = client.identify()
    except Unauthorized as error:
        cure = (
            "Check the client ID and the client secret. If both are right, check in Zuora that the API user is active"
            " (Settings > Administration > Manage Users), or make a new OAuth client for it: its secret is shown once."
        )
        answers = Step("Host", Outcome.PASSED, f"{host} answers.")
        return (answers, Step("Credentials", Outcome.FAILED, error.message, cure), _skipped("Tenant")), None
    except ZuoraError as error:
        cure = "Check the tenant URL, and that this machine may reach it; if Zuora itself is ill, try again later."
        return (Step("Host", Outcome.FAILED, error.message, cure), _skipped("Credentials"), _skipped("Tenant")), None
    steps = (
        Step("Host", Outcome.PASSED, f"{host} answers."),
        Step("Credentials", Outcome.PASSED, "Zuora accepts the client ID and secret."),
        _tenant(identity),
    )
    return steps, identity


def _skipped(name: str) -> Step:
    return Step(name, Outcome.SKIPPED, "Not tried: a step before it failed.")


def _tenant(identity: Identity) -> Step:
    if not identity.tenant:
        return Step(
            "Tenant",
            Outcome.WARNING,
            "The token does not name its tenant.",
            "The links are kept under the client ID instead: another OAuth client will start afresh.",
        )
    if len(identity.entities) > 1:
        return Step(
            "Tenant",
            Outcome.WARNING,
            f"Tenant {identity.tenant}, user {identity.user}, {len(identity.entities)} entities.",
            "The API user sees several entities: what is pushed goes to its default one. Give it one entity only.",
        )
    return Step("Tenant", Outcome.PASSED, f"Tenant {identity.tenant}, user {identity.user}.")


def _try(name: str, call: Callable[[], T], saw: str, cure: str) -> tuple[Step, T | None]:
    try:
        value = call()
    except ZuoraError as error:
        return Step(name, Outcome.FAILED, error.message, cure), None
    return Step(name, Outcome.PASSED, saw), value


def _clock(answered_at: datetime | None, now: datetime) -> Step:
    if answered_at is None:
        return Step("Clock", Outcome.WARNING, "Zuora's answer has no date to compare with.")
    seconds = round(abs((answered_at - now).total_seconds()))
    if seconds <= CLOCKS_MAY_DIFFER.total_seconds():
        return Step("Clock", Outcome.PASSED, "This machine's clock agrees with Zuora's.")
    return Step(
        "Clock",
        Outcome.WARNING,
        f"This machine's clock and Zuora's differ by {seconds} seconds.",
        "Set this machine's clock by a time server: dates near midnight would fall on another day.",
    )


def _object_query(client: Client) -> Step:
    # Objects are looked up in this way before anything is sent twice.
    step, _ = _try(
        "Object Query",
        lambda: next(client.query("accounts"), None),
        "Accounts can be looked up.",
        f"{_ROLES} If it has them, ask Zuora's support to enable Object Queries.",
    )
    return step


def _orders(client: Client, now: datetime) -> Step:
    """Cancel a subscription that does not exist: a tenant without Orders says so first, and nothing has changed."""
    today = now.date().isoformat()
    impossible = {
        "orderDate": today,
        "existingAccountNumber": "stigg-doctor-no-such-account",
        "subscriptions": [
            {
                "subscriptionNumber": "stigg-doctor-no-such-subscription",
                "orderActions": [
                    {
                        "type": "CancelSubscription",
                        "triggerDates": [
                            {"name": name, "triggerDate": today}
                            for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
                        ],
                        "cancelSubscription": {"cancellationPolicy": "EndOfLastInvoicePeriod"},
                    }
                ],
            }
        ],
    }
    cure = f"Subscriptions are written by Orders: ask Zuora's support for Orders or Orders Harmonization. {_ROLES}"
    return _refused_in_any_case(
        "Orders", lambda: client.create_order(impossible, idempotency_key=uuid4().hex), "Orders are enabled.", cure
    )


def _writing(client: Client) -> Step:
    """Change a product that does not exist: whoever may not write is told so first, and nothing has changed."""
    cure = (
        "In Zuora, open Settings > Administration > Manage User Roles, and give the API user's role API Write Access."
    )
    return _refused_in_any_case(
        "Writing", lambda: client.update_product(_NOBODY, {"Description": ""}), "The API user may write.", cure
    )


def _refused_in_any_case(name: str, call: Callable[[], object], saw: str, cure: str) -> Step:
    """Judge by the reason of a refusal: a permission or a feature that lacks comes before what does not exist."""
    try:
        call()
    except (NotFound, Rejected):
        pass
    except Forbidden as error:
        return Step(name, Outcome.FAILED, error.message, cure)
    except ZuoraError as error:
        return Step(name, Outcome.WARNING, f"Not known: {error.message}", "Watch the first push.")
    return Step(name, Outcome.PASSED, saw)


def _custom_fields(client: Client) -> tuple[Step, dict[str, list[str]]]:
    found: dict[str, list[str]] = {name: [] for name in CUSTOM_FIELDS}
    for name, wanted in CUSTOM_FIELDS.items():
        try:
            described = client.describe(name)
        except ZuoraError as error:
            step = Step(
                "Custom fields",
                Outcome.WARNING,
                f"The fields of {name} cannot be read: {error.message}",
                "Without knowing them, no custom field is written. Test the connection again later.",
            )
            return step, found
        found[name] = [field for field in wanted if field in described]
    missing = [
        f"{name}: {field.removesuffix('__c')}"
        for name in found
        for field in CUSTOM_FIELDS[name]
        if field not in found[name]
    ]
    if not missing:
        return Step("Custom fields", Outcome.PASSED, "All six fields are there."), found
    saw = f"Missing: {', '.join(missing)}. The sync works without; these fields are left out."
    cure = (
        f"In Zuora, open Settings > Billing > Manage Custom Fields, and add {', '.join(missing)}; each of type Text,"
        " length 255, indexed. Zuora adds the __c. Then test the connection again."
    )
    return Step("Custom fields", Outcome.WARNING, saw, cure), found


def _units(client: Client) -> tuple[Step, bool]:
    try:
        units = client.units_of_measure()
    except ZuoraError as refused:
        try:
            units = client.units_of_measure_by_zoql()
        except ZuoraError as error:
            cure = f"{_ROLES} Plans with seats or usage will fail until the units can be read."
            return Step("Units of measure", Outcome.WARNING, error.message, cure), False
        saw = f"{len(units)} can be read, but not added: {refused.message}"
        cure = (
            "Units that are missing have to be added by hand (Settings > Billing > Customize Units of Measure), or give"
            " the API user a role that may manage billing settings."
        )
        return Step("Units of measure", Outcome.WARNING, saw, cure), False
    return Step("Units of measure", Outcome.PASSED, f"{len(units)} can be read."), True
