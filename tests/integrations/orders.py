"""Orders that reached the tenant, and a subscription to seats that they are about."""

from typing import Any

from catalog.models import BillingModel
from subscriptions.models import Subscription
from tests.factories.catalog import FeatureFactory, plan_with_prices, price
from tests.factories.subscriptions import SubscriptionFactory
from tests.integrations.conftest import World


def orders(world: World) -> list[dict[str, Any]]:
    """Return the bodies of the orders that were sent since last asked."""
    bodies = [one.body for one in world.app.control.requests("POST", "/v1/orders")]
    world.app.control.clear_log()
    return bodies


def actions(world: World) -> list[list[dict[str, Any]]]:
    """Return, per order since last asked, its actions without their dates."""
    return [
        [
            {name: value for name, value in action.items() if name != "triggerDates"}
            for action in body["subscriptions"][0]["orderActions"]
        ]
        for body in orders(world)
    ]


def seats(world: World, **fields: Any) -> Subscription:
    """A subscription to a plan with a flat fee and seats, five of them."""
    feature = FeatureFactory.create(ref_id="seats", display_name="Seats")
    plan = plan_with_prices(ref_id="pro", amounts={"EUR": 20})
    price(plan, billing_model=BillingModel.PER_UNIT, feature=feature, amounts={"EUR": 8})
    subscription: Subscription = SubscriptionFactory.create(ref_id="s1", plan=plan, **fields)
    subscription.quantities.create(feature=feature, quantity=5)
    world.settle()
    return subscription
