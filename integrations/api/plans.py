"""Plans (https://docs.stigg.io/api-reference/plans)."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from pydantic import Field

from catalog import publishing
from catalog.models import Addon, Plan
from integrations.api.charges import ChargeOut, ChargeQuery
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.packages import (
    RENAMED,
    PackageChange,
    PackageIn,
    PackageOut,
    PackageQuery,
    Published,
    PublishIn,
    Removed,
    asked,
    change,
    charges_page,
    drafts,
    make,
    told,
)
from integrations.api.paging import page
from integrations.api.schema import Data, Page, Text
from integrations.api.sync_states import standings
from integrations.api.writing import values
from integrations.models import EntityKind

_TAG = "Plans"
_NOT_BUILT = {
    "parentPlanId": "entitlements are not kept here, and nothing else is inherited.",
    "defaultTrialConfig": "say with each subscription how long its trial lasts (trialOverrideConfiguration).",
}


class PlanIn(PackageIn):
    """A plan; it begins as a draft."""

    NOT_BUILT = _NOT_BUILT


class PlanChange(PackageChange):
    """What of a plan can be changed; charges are those of the draft, all at once."""

    NOT_BUILT = _NOT_BUILT

    compatible_addon_ids: list[Text] | None = Field(None, max_length=1000)


class PlanOut(PackageOut):
    """A plan."""

    compatible_addon_ids: list[str]


@operation("POST", "/api/v1/plans", tag=_TAG, status=HTTPStatus.CREATED)
def create_plan(_call: Call, *, body: PlanIn) -> Data[PlanOut]:
    """Make a plan, as a draft."""
    given = values(body, kind=Plan, renamed=RENAMED, without=("product_id", "status"))
    return _data(make(Plan(**given), body=body))


@operation("GET", "/api/v1/plans", tag=_TAG)
def list_plans(_call: Call, *, query: PackageQuery) -> Page[PlanOut]:
    """List plans, as they are on sale."""
    rows = asked(Plan.objects.all(), query).select_related("product").prefetch_related("prices", "compatible_addons")
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/plans/{plan_id}", tag=_TAG)
def retrieve_plan(_call: Call, *, plan_id: str) -> Data[PlanOut]:
    """Read a plan, as it is on sale."""
    return _data(find(Plan.objects.all(), plan_id))


@operation("PATCH", "/api/v1/plans/{plan_id}", tag=_TAG)
def update_plan(_call: Call, *, body: PlanChange, plan_id: str) -> Data[PlanOut]:
    """Change a plan, and the charges of its draft; metadata, charges and add-ons are replaced as a whole."""
    plan = find(Plan.objects.all(), plan_id)
    apart = ("charges", "compatible_addon_ids")
    change(plan, body=body, changes=values(body, kind=Plan, renamed=RENAMED, without=apart))
    if "compatible_addon_ids" in body.model_fields_set:
        plan.compatible_addons.set(_addons(body.compatible_addon_ids or ()))
    return _data(plan, drafted=body.charges is not None)


@operation("POST", "/api/v1/plans/{plan_id}/draft", tag=_TAG, status=HTTPStatus.CREATED)
def create_plan_draft(_call: Call, *, plan_id: str) -> Data[PlanOut]:
    """Begin a draft with the charges on sale."""
    plan = find(Plan.objects.all(), plan_id)
    publishing.start_draft(package=plan)
    return _data(plan, drafted=True)


@operation("DELETE", "/api/v1/plans/{plan_id}/draft", tag=_TAG)
def remove_plan_draft(_call: Call, *, plan_id: str) -> Data[Removed]:
    """Forget the draft of a plan; one that was never on sale goes with it."""
    publishing.remove_draft(package=find(Plan.objects.all(), plan_id))
    return Data(data=Removed(id=plan_id))


@operation("GET", "/api/v1/plans/{plan_id}/charges", tag=_TAG)
def list_plan_charges(_call: Call, *, query: ChargeQuery, plan_id: str) -> Page[ChargeOut]:
    """List what a plan costs."""
    return charges_page(find(Plan.objects.all(), plan_id), query=query)


@operation("POST", "/api/v1/plans/{plan_id}/publish", tag=_TAG)
def publish_plan(_call: Call, *, body: PublishIn, plan_id: str) -> Data[Published]:  # noqa: ARG001 - the same for all
    """Put the draft of a plan on sale.

    Running subscriptions keep the prices of the version that they were sold, for whomever it is published.
    """
    publishing.publish(package=find(Plan.objects.all(), plan_id))
    return Data(data=Published())


@operation("POST", "/api/v1/plans/{plan_id}/archive", tag=_TAG)
def archive_plan(_call: Call, *, plan_id: str) -> Data[PlanOut]:
    """Take a plan off sale; who has it keeps it."""
    plan = find(Plan.objects.all(), plan_id)
    publishing.archive(package=plan)
    return _data(plan)


def _addons(ref_ids: Iterable[str]) -> list[Addon]:
    return [find(Addon.objects.all(), ref_id) for ref_id in dict.fromkeys(ref_ids)]


def _data(plan: Plan, *, drafted: bool = False) -> Data[PlanOut]:
    return Data(data=_out([plan], drafted=drafted)[0])


def _out(plans: Sequence[Plan], *, drafted: bool = False) -> list[PlanOut]:
    standing = standings(EntityKind.PLAN, plans)
    draft = drafts(plans)
    return [
        PlanOut(
            **told(plan, draft=draft[plan.pk], standing=standing[plan.pk], drafted=drafted),
            compatible_addon_ids=[addon.ref_id for addon in plan.compatible_addons.all()],
        )
        for plan in plans
    ]
