"""Plans (https://docs.stigg.io/api-reference/plans)."""

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field

from catalog.models import LONGEST_TRIAL, Plan, TrialEndBehavior, TrialUnits
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.packages import (
    RENAMED,
    PackageChange,
    PackageIn,
    PackageOut,
    PackageQuery,
    asked,
    change,
    drafts,
    find_addons,
    make,
    told,
)
from integrations.api.paging import page
from integrations.api.sale import sale_operations
from integrations.api.schema import Count, Data, Input, Output, Page, Text
from integrations.api.sync_states import standings
from integrations.api.writing import values
from integrations.models import EntityKind

_TAG = "Plans"
_PARENT = "The plan whose entitlements it inherits in Stigg: kept and told, and nothing of what it costs is inherited."


class TrialConfigIn(Input):
    """How a customer begins who has had neither a trial nor a paid plan of the product, unless the order says it."""

    NOT_BUILT = {"budget": "spending is not limited here."}

    duration: Annotated[Count, Field(le=LONGEST_TRIAL)]
    units: TrialUnits
    trial_end_behavior: TrialEndBehavior | None = None


class TrialConfigOut(Output):
    """How a customer begins who has had neither a trial nor a paid plan of the product, unless the order says it."""

    duration: int
    units: TrialUnits
    budget: None = None
    trial_end_behavior: TrialEndBehavior


class PlanIn(PackageIn):
    """A plan; it begins as a draft."""

    default_trial_config: TrialConfigIn | None = None
    parent_plan_id: Text | None = Field(None, description=_PARENT)


class PlanChange(PackageChange):
    """What of a plan can be changed; charges are those of the draft, all at once."""

    compatible_addon_ids: list[Text] | None = Field(None, max_length=1000)
    default_trial_config: TrialConfigIn | None = None
    parent_plan_id: Text | None = Field(None, description=_PARENT)


class PlanOut(PackageOut):
    """A plan."""

    compatible_addon_ids: list[str]
    default_trial_config: TrialConfigOut | None
    parent_plan_id: str | None


@operation("POST", "/api/v1/plans", tag=_TAG, status=HTTPStatus.CREATED)
def create_plan(_call: Call, *, body: PlanIn) -> Data[PlanOut]:
    """Make a plan, as a draft."""
    return _data(make(Plan(**_values(body, without=("product_id", "status"))), body=body))


@operation("GET", "/api/v1/plans", tag=_TAG)
def list_plans(_call: Call, *, query: PackageQuery) -> Page[PlanOut]:
    """List plans, as they are on sale."""
    rows = asked(Plan.objects.all(), query).select_related("product", "parent")
    rows = rows.prefetch_related("prices", "compatible_addons")
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/plans/{plan_id}", tag=_TAG)
def retrieve_plan(_call: Call, *, plan_id: str) -> Data[PlanOut]:
    """Read a plan, as it is on sale."""
    return _data(find(Plan.objects.all(), plan_id))


@operation("PATCH", "/api/v1/plans/{plan_id}", tag=_TAG)
def update_plan(_call: Call, *, body: PlanChange, plan_id: str) -> Data[PlanOut]:
    """Change a plan, and the charges of its draft; metadata, charges and add-ons are replaced as a whole."""
    plan = find(Plan.objects.all(), plan_id)
    change(plan, body=body, changes=_values(body, without=("charges", "compatible_addon_ids")))
    if "compatible_addon_ids" in body.model_fields_set:
        plan.compatible_addons.set(find_addons(body.compatible_addon_ids or ()))
    return _data(plan, drafted=body.charges is not None)


def _values(body: PlanIn | PlanChange, *, without: Collection[str]) -> dict[str, Any]:
    """Return what was sent as fields of a plan; a default trial is replaced as a whole, and null takes it away."""
    own = ("default_trial_config", "parent_plan_id")
    found = values(body, kind=Plan, renamed=RENAMED, without=(*without, *own))
    if "default_trial_config" in body.model_fields_set:
        trial = body.default_trial_config
        found["trial_duration"] = trial.duration if trial else None
        found["trial_units"] = trial.units if trial else TrialUnits.DAY
        found["trial_end_behavior"] = (trial and trial.trial_end_behavior) or TrialEndBehavior.CONVERT_TO_PAID
    if "parent_plan_id" in body.model_fields_set:
        found["parent"] = find(Plan.objects.all(), body.parent_plan_id) if body.parent_plan_id else None
    return found


def _data(plan: Plan, *, drafted: bool = False) -> Data[PlanOut]:
    return Data(data=_out([plan], drafted=drafted)[0])


def _out(plans: Sequence[Plan], *, drafted: bool = False) -> list[PlanOut]:
    standing = standings(EntityKind.PLAN, plans)
    draft = drafts(plans)
    return [
        PlanOut(
            **told(plan, draft=draft[plan.pk], standing=standing[plan.pk], drafted=drafted),
            compatible_addon_ids=[addon.ref_id for addon in plan.compatible_addons.all()],
            default_trial_config=_trial(plan),
            parent_plan_id=plan.parent.ref_id if plan.parent else None,
        )
        for plan in plans
    ]


def _trial(plan: Plan) -> TrialConfigOut | None:
    if plan.trial_duration is None:
        return None
    return TrialConfigOut(
        duration=plan.trial_duration,
        units=TrialUnits(plan.trial_units),
        trial_end_behavior=TrialEndBehavior(plan.trial_end_behavior),
    )


create_plan_draft, remove_plan_draft, list_plan_charges, publish_plan, archive_plan = sale_operations(
    Plan, one="plan", tag=_TAG, tell=_data, answers=Data[PlanOut]
)
