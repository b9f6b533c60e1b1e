"""Which of Zuora's objects stands for which of Stigg's: one answer here, and room for another.

Nothing outside the mapping may assume one of them: pushing asks its policy, walks the tree that it gets, and keeps ids
and numbers by record key.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from catalog.models import Coupon, Package, Price
from integrations.zuora.mapping.contract import Contract, PlacedRatePlan
from integrations.zuora.mapping.coupon import coupon_tree
from integrations.zuora.mapping.nodes import ProductNode
from integrations.zuora.mapping.package import package_tree
from integrations.zuora.mapping.subscription import contract, rate_plan_keys
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.models import Subscription


class Policy(Protocol):
    """What pushing asks; the functions of the default policy say what each answer holds."""

    def package_tree(
        self,
        package: Package,
        *,
        prices: Sequence[Price],
        tenant: Tenant,
        today: date,
        generations: Mapping[str, int],
        expired_on: date | None = None,
    ) -> ProductNode: ...

    def coupon_tree(
        self,
        coupon: Coupon,
        *,
        currencies: Sequence[str],
        tenant: Tenant,
        today: date,
        generations: Mapping[str, int],
        expired_on: date | None = None,
    ) -> ProductNode: ...

    def rate_plan_keys(self, subscription: Subscription, *, coupon: Coupon | None) -> tuple[str, ...]: ...

    def contract(
        self,
        subscription: Subscription,
        *,
        prices: Mapping[str, Sequence[Price]],
        placed: Mapping[str, PlacedRatePlan],
        payer_account: str,
        owner_account: str,
        tenant: Tenant,
        coupon: Coupon | None = None,
        sent: Contract | None = None,
        number: str = "",
    ) -> Contract: ...


class ProductPerPackage:
    """A plan or add-on is a product, its billing period a rate plan, its price a charge of that rate plan.

    Stigg's own default: plans stay apart from each other.
    Source: https://docs.stigg.io/documentation/native-integrations/billing/zuora/overview
    """

    package_tree = staticmethod(package_tree)
    coupon_tree = staticmethod(coupon_tree)
    rate_plan_keys = staticmethod(rate_plan_keys)
    contract = staticmethod(contract)


DEFAULT_POLICY: Policy = ProductPerPackage()
