"""What is tried in a tenant before it is trusted with work: one function for each step, none changes anything there."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

from integrations.words import REDIS
from integrations.zuora.auth import Identity
from integrations.zuora.client import Client
from integrations.zuora.client.queries import field
from integrations.zuora.errors import Forbidden, Kind, NotFound, RedisAway, Rejected, Unauthorized, ZuoraError

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
_LATER = "That passes by itself as a rule: test again in a few minutes, and ask Zuora's support if it stays."
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
    offer: str = ""  # what to create there, a line each, to be copied

    @property
    def ok(self) -> bool:
        """Whether it need not hold up a connection."""
        return self.outcome in {Outcome.PASSED, Outcome.WARNING}


def enter(client: Client) -> Iterator[tuple[Step, Identity | None]]:
    """Yield the steps at the door, the last with the identity when it is open."""
    host = client.base_url
    try:
        identity = client.identify()
    except Unauthorized as error:
        cure = (
            "Check the client ID and the client secret, and that the tenant URL is this tenant's own data centre."
            " If all are right, check in Zuora that the API user is active (Settings > Administration >"
            " Manage Users), or make a new OAuth client for it: its secret is shown once."
        )
        yield Step("Host", Outcome.PASSED, f"{host} answers."), None
        yield Step("Credentials", Outcome.FAILED, error.message, cure), None
        yield skipped("Tenant"), None
        return
    except ZuoraError as error:
        cure = "Check the tenant URL, and that this machine may reach it; if Zuora itself is ill, try again later."
        yield Step("Host", Outcome.FAILED, error.message, cure), None
        yield skipped("Credentials"), None
        yield skipped("Tenant"), None
        return
    yield Step("Host", Outcome.PASSED, f"{host} answers."), identity
    yield Step("Credentials", Outcome.PASSED, "Zuora accepts the client ID and secret."), identity
    yield _tenant(identity), identity


def skipped(name: str) -> Step:
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
        return Step(name, Outcome.FAILED, error.message, _cure_of(error, cure)), None
    return Step(name, Outcome.PASSED, saw), value


def _cure_of(error: ZuoraError, cure: str = _LATER) -> str:
    """Return what to do: nothing in Zuora cures what passes by itself, or what is ours."""
    if isinstance(error, RedisAway):
        return REDIS
    return _LATER if error.kind is Kind.TRANSIENT else cure


def clock(answered_at: datetime | None, now: datetime) -> Step:
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


def reading(client: Client) -> tuple[Step, datetime | None]:
    """Read the catalog; return Zuora's time with the answer."""
    return _try("Reading", client.check_connection, "The catalog can be read.", _ROLES)


def object_query(client: Client) -> tuple[Step, Mapping[str, Any]]:
    """Look an account up, as it is done before anything is sent twice; return it, if there is one."""
    step, account = _try(
        "Object Query",
        lambda: next(client.query("accounts"), {}),
        "Accounts can be looked up.",
        f"{_ROLES} If it has them, ask Zuora's support to enable Object Queries.",
    )
    return step, account or {}


def time_zone(account: Mapping[str, Any], name: str) -> Step:
    """Compare the zone that was chosen with the offset of a time that Zuora wrote: it writes in the tenant's."""
    where = "Compare it in Zuora at Settings > Administration > Manage Tenant Profile."
    text = str(field(account, "createdDate"))
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        written = None
    if written is None or written.tzinfo is None or text.endswith("Z"):
        return Step("Time zone", Outcome.WARNING, f"{name}: Zuora shows no time of its own to compare it with.", where)
    chosen = written.astimezone(ZoneInfo(name))
    there, here = (moment.isoformat(timespec="minutes") for moment in (written, chosen))
    if written.utcoffset() == chosen.utcoffset():
        return Step("Time zone", Outcome.PASSED, f"{name} fits the times that Zuora writes.")
    return Step(
        "Time zone",
        Outcome.WARNING,
        f"Zuora wrote {there}; in {name} it was {here}.",
        f"Choose the tenant's own zone, or what happens near midnight falls on another day. {where}",
    )


def orders(client: Client, now: datetime) -> Step:
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


def writing(client: Client) -> Step:
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
        return Step(
            name, Outcome.WARNING, f"Not known: {error.message}", f"{_cure_of(error)} Otherwise watch the first push."
        )
    return Step(name, Outcome.PASSED, saw)


def custom_fields(client: Client) -> tuple[Step, dict[str, list[str]]]:
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
    offer = "\n".join(f"{line}, Text, length 255, indexed" for line in missing)
    saw = f"Missing: {', '.join(missing)}. The sync works without; these fields are left out."
    cure = (
        "In Zuora, open Settings > Billing > Manage Custom Fields, and add these fields. Zuora adds the __c. Then"
        " test the connection again."
    )
    return Step("Custom fields", Outcome.WARNING, saw, cure, offer), found


def units(client: Client, wanted: Collection[str]) -> tuple[Step, bool]:
    """Return whether units can be read, and whether they can be added; `wanted` are those that will be needed."""
    try:
        units = client.units_of_measure()
    except ZuoraError as refused:
        try:
            units = client.units_of_measure_by_zoql()
        except ZuoraError as error:
            cure = f"{_cure_of(error, _ROLES)} Plans with seats or usage will fail until the units can be read."
            return Step("Units of measure", Outcome.WARNING, error.message, cure), False
        saw = f"{len(units)} can be read, but not added: {refused.message}"
        missing = sorted(set(wanted) - {str(row["name"]) for row in units if row.get("active") is not False})
        cure = (
            "Add by hand what is missing (Settings > Billing > Customize Units of Measure), or give the API user a role"
            " that may manage billing settings."
        )
        if not missing:
            cure = f"All that the catalog needs today are there. Later: {cure}"
        offer = "\n".join(f"{name}, 8 decimal places, rounded up" for name in missing)
        return Step("Units of measure", Outcome.WARNING, saw, cure, offer), False
    return Step("Units of measure", Outcome.PASSED, f"{len(units)} can be read."), True
