"""A plan's default trial and its parent, by Stigg's own client."""

from typing import Any

import pytest
import stigg

from catalog.models import Plan
from tests.factories.catalog import PlanFactory, ProductFactory
from tests.integrations.api.shapes import plain

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]


@pytest.fixture(autouse=True)
def _product(db: None) -> None:
    ProductFactory.create(ref_id="app")


def test_its_default_trial_is_kept_as_a_whole(client: stigg.Stigg) -> None:
    made = client.v1.plans.create(
        id="pro", display_name="Pro", product_id="app", default_trial_config={"duration": 14.0, "units": "DAY"}
    )
    assert plain(made.data)["defaultTrialConfig"] == {
        "duration": 14,
        "units": "DAY",
        "budget": None,
        "trialEndBehavior": "CONVERT_TO_PAID",
    }
    client.v1.plans.update("pro", display_name="Professional")
    trial: Any = {"duration": 2, "units": "MONTH", "trial_end_behavior": "CANCEL_SUBSCRIPTION"}
    changed = client.v1.plans.update("pro", default_trial_config=trial).data.default_trial_config
    assert changed is not None
    assert (changed.duration, changed.units, changed.trial_end_behavior) == (2, "MONTH", "CANCEL_SUBSCRIPTION")
    assert client.v1.plans.update("pro", default_trial_config=None).data.default_trial_config is None


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"units": "DAY", "duration": 0}, 400, "defaultTrialConfig.duration: "),
        ({"units": "DAY", "duration": 1001}, 400, "defaultTrialConfig.duration: "),
        ({"units": "DAY", "duration": 1.5}, 400, "defaultTrialConfig.duration: it is no whole number"),
        ({"units": "WEEK", "duration": 1}, 400, "defaultTrialConfig.units: "),
        ({"units": "DAY", "duration": 1, "budget": {"limit": 5, "has_soft_limit": True}}, 501, "budget: spending"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(client: stigg.Stigg, change: Any, status: int, sentence: str) -> None:
    PlanFactory.create(ref_id="pro", display_name="Pro")

    with pytest.raises(stigg.APIStatusError, match=sentence) as refused:
        client.v1.plans.update("pro", display_name="X", default_trial_config=change)

    assert refused.value.status_code == status
    assert Plan.objects.get().display_name == "Pro"


def test_what_is_free_has_no_trial(client: stigg.Stigg) -> None:
    trial: Any = {"duration": 14, "units": "DAY"}
    client.v1.plans.create(id="pro", display_name="Pro", product_id="app", default_trial_config=trial)

    with pytest.raises(stigg.BadRequestError, match="A free plan has no trial"):
        client.v1.plans.update("pro", charges={"pricing_type": "FREE"})
    client.v1.plans.create(id="free", display_name="Free", product_id="app", pricing_type="FREE")
    with pytest.raises(stigg.BadRequestError, match="A free plan has no trial"):
        client.v1.plans.update("free", default_trial_config=trial)


def test_its_parent_is_kept_and_told(client: stigg.Stigg) -> None:
    client.v1.plans.create(id="basic", display_name="Basic", product_id="app", pricing_type="FREE")
    made = client.v1.plans.create(id="pro", display_name="Pro", product_id="app", parent_plan_id="basic")
    assert made.data.parent_plan_id == "basic"
    client.v1.plans.create(id="top", display_name="Top", product_id="app", parent_plan_id="pro")

    refusals: dict[str, Any] = {
        "PlansCircularDependencyError": lambda: client.v1.plans.update("basic", parent_plan_id="top"),
        "PlanWithChildCantBeDeleted": lambda: client.v1.plans.remove_draft("basic"),
        "PlanNotFound": lambda: client.v1.plans.update("pro", parent_plan_id="none"),
    }
    for code, call in refusals.items():
        with pytest.raises(stigg.APIStatusError) as refused:
            call()
        assert refused.value.body["code"] == code  # type: ignore[index]
    assert list(Plan.objects.values_list("ref_id", "parent__ref_id")) == [
        ("basic", None),
        ("pro", "basic"),
        ("top", "pro"),
    ]
    assert client.v1.plans.update("pro", parent_plan_id=None).data.parent_plan_id is None


def test_a_child_is_published_after_its_parent(client: stigg.Stigg) -> None:
    client.v1.plans.create(id="basic", display_name="Basic", product_id="app", pricing_type="FREE")
    client.v1.plans.create(
        id="pro", display_name="Pro", product_id="app", pricing_type="CUSTOM", parent_plan_id="basic"
    )

    with pytest.raises(stigg.BadRequestError, match="Pro inherits from Basic, which is a draft") as refused:
        client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")
    assert refused.value.body["code"] == "PlanCannotBePublishWhenBasePlanIsDraft"  # type: ignore[index]
    client.v1.plans.publish("basic", migration_type="NEW_CUSTOMERS")
    client.v1.plans.publish("pro", migration_type="NEW_CUSTOMERS")
