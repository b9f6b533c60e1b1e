"""Contracts that are stated of subscriptions, by a tenant that holds what it is said to hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from catalog.models import Coupon, Plan, Price
from integrations.zuora.mapping.contract import Contract, PlacedRatePlan
from integrations.zuora.mapping.refusal import Refused
from integrations.zuora.mapping.subscription import contract
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.models import Subscription
from tests.integrations.zuora.mapping import build

FEE, SEATS, USAGE = "RECURRING/FLAT_FEE", "RECURRING/PER_UNIT/seats", "RECURRING/USAGE_BASED/seats"


def state(
    subscription: Subscription,
    *,
    prices: Mapping[str, Sequence[Price]],
    placed: Sequence[PlacedRatePlan] = (),
    coupon: Coupon | None = None,
    sent: Contract | None = None,
    tenant: Tenant = build.TENANT,
    **values: Any,
) -> Contract:
    return contract(
        subscription,
        prices=prices,
        placed={plan.key: plan for plan in placed},
        payer_account="stigg--acme",
        owner_account="stigg--acme",
        tenant=tenant,
        coupon=coupon,
        sent=sent,
        **values,
    )


def sold(price: Price, charge: str, **values: Any) -> Mapping[str, Any]:
    """Return the only charge of a subscription to a plan with this price."""
    assert price.plan is not None
    wanted = state(
        build.subscription(plan=price.plan, **values),
        prices={"plan:basic": [price]},
        placed=[build.placed("plan:basic", charge)],
    )
    ((only,),) = [plan["charges"] for plan in wanted["ratePlans"]]
    return only


def refusal(subscription: Subscription, **values: Any) -> tuple[str, ...]:
    with pytest.raises(Refused) as caught:
        state(subscription, **values)
    return caught.value.sentences


def per_seat(plan: Plan, amounts: Mapping[str, str | build.Steps], **values: Any) -> Price:
    return build.price(plan, amounts, **{"billing_model": "PER_UNIT", "feature": build.feature()} | values)
