from catalog.models import Feature
from integrations.zuora.mapping.nodes import UnitNode
from integrations.zuora.mapping.refusal import Refusals

#: What the UOM field of a charge holds, although a unit's own name may have 50.
NAME_LIMIT = 25
#: Zuora rounds every quantity to it. One page allows 0 to 9 places, another excludes both ends; 8 is right under both.
PRECISION = 8


def unit_of(feature: Feature, refusals: Refusals) -> UnitNode | None:
    """Return the unit of measure in which a charge counts the feature, or nothing when the feature does not name one.

    Its name is Stigg's own word for several units. It is not led by the deployment's prefix and not shortened: people
    read it on invoices, and a unit that the tenant has already is used as it is.

    Source: https://docs.zuora.com/en/zuora-platform/integration/apis/settings-api/settings-api-tutorials/unit-of-measure-settings
    """
    name = " ".join((feature.units_plural or feature.units_singular).split())
    if not name:
        refusals.add(
            f"Feature {feature.ref_id} has no unit, and Zuora needs one to count in: fill in its unit (for example "
            "seats)."
        )
        return None
    refusals.text(name, what=f"The unit of feature {feature.ref_id}", limit=NAME_LIMIT)
    body = {
        "name": name,
        "displayAs": name,
        "precision": PRECISION,
        "roundingMode": "Up",
        "active": True,
        "usageLogFileLabel": name,
    }
    return UnitNode(name=name, body=body)
