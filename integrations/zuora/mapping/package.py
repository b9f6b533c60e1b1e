from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from catalog.models import BillingPeriod, Package, PackageStatus, Plan, Price, PricingType
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.charges import CURRENCY_LIMIT, charge_nodes, currencies_of
from integrations.zuora.mapping.nodes import Body, ChargeNode, ProductNode, RatePlanNode
from integrations.zuora.mapping.refusal import Refusals
from integrations.zuora.mapping.tenant import ENTITY_URL, Tenant

NAME_LIMIT = 100
DESCRIPTION_LIMIT = 500
PERIOD_NAMES = {BillingPeriod.MONTHLY.value: "Monthly", BillingPeriod.ANNUALLY.value: "Annual"}


def package_tree(
    package: Package,
    *,
    prices: Sequence[Price],
    tenant: Tenant,
    today: date,
    generations: Mapping[str, int],
    expired_on: date | None = None,
) -> ProductNode:
    """Return what Zuora should hold of a plan or an add-on: a product, a rate plan for each billing period, charges.

    `prices` are those of the version on sale, with feature, amounts and tiers at hand. `generations` says which rate
    plans (by record key) are successors. An archived package ends `today`, or on the day on which it was ended before:
    an end that moved every day would be sent every day. A free or custom-priced one has no rate plans.

    Raises:
        Refused: Zuora cannot hold it; every reason at once.
    """
    archived = package.status == PackageStatus.ARCHIVED
    frame = Frame(
        key=keys.package_key(package),
        tenant=tenant,
        end=(expired_on or today) if archived else tenant.catalog_end,
        generations=generations,
        refusals=Refusals(),
    )
    priced = prices if package.pricing_type == PricingType.PAID else ()
    periods = [period for period in PERIOD_NAMES if any(price.billing_period == period for price in priced)]
    is_plan = isinstance(package, Plan)
    tree = frame.product(
        package,
        category="Base Products" if is_plan else "Add On Services",
        url=tenant.entity_url("plans" if is_plan else "addons", package.ref_id),
        rate_plans=tuple(frame.rate_plan(period, _charges(frame, period, priced)) for period in periods),
    )
    frame.refusals.answer()
    return tree


class Described(Protocol):
    """Anything that becomes a product."""

    display_name: str
    description: str


@dataclass(frozen=True)
class Frame:
    """What the product, the rate plans and the charges of one entity share."""

    key: str
    tenant: Tenant
    end: date
    generations: Mapping[str, int]
    refusals: Refusals

    def generation(self, period: str) -> int:
        return self.generations.get(keys.rate_plan_key(self.key, period), 1)

    def product(
        self, entity: Described, *, category: str, url: str, rate_plans: tuple[RatePlanNode, ...]
    ) -> ProductNode:
        """Return the product.

        Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProduct/
        """
        sku = keys.product_sku(self.key, prefix=self.tenant.key_prefix)
        who = self.key.replace(":", " ", 1)
        name = self.refusals.text(entity.display_name, what=f"The display name of {who}", limit=NAME_LIMIT)
        description = self.refusals.text(entity.description, what=f"The description of {who}", limit=DESCRIPTION_LIMIT)
        lasting: Body = {
            "Name": name,
            "EffectiveEndDate": self.end.isoformat(),
            **self.tenant.custom("Product", self.refusals, **{ENTITY_URL: url}),
        }
        body = {
            **lasting,
            "SKU": sku,
            "Category": category,
            "EffectiveStartDate": self.tenant.catalog_start.isoformat(),
            **({"Description": description} if description else {}),
        }
        update = {**lasting, "Description": description}
        return ProductNode(key=self.key, sku=sku, body=body, update=update, rate_plans=rate_plans)

    def rate_plan(self, period: str, charges: tuple[ChargeNode, ...]) -> RatePlanNode:
        """Return a rate plan; its name is unique in its product, so a successor carries its generation in it.

        Source: https://developer.zuora.com/v1-api-reference/api/operation/Object_POSTProductRatePlan/
        """
        key, generation = keys.rate_plan_key(self.key, period), self.generation(period)
        number = keys.rate_plan_number(self.key, period, prefix=self.tenant.key_prefix, generation=generation)
        currencies = currencies_of(charges)
        if len(currencies) > CURRENCY_LIMIT:
            self.refusals.add(
                f"{key} has prices in {len(currencies)} currencies ({', '.join(currencies)}), and a rate plan of "
                f"Zuora's holds {CURRENCY_LIMIT}: keep {CURRENCY_LIMIT} of them."
            )
        name = PERIOD_NAMES[period]
        lasting: Body = {
            "Name": name if generation == 1 else f"{name} ({generation})",
            "EffectiveEndDate": self.end.isoformat(),
        }
        body: Body = {
            **lasting,
            "ProductRatePlanNumber": number,
            "ActiveCurrencies": currencies,
            "EffectiveStartDate": self.tenant.catalog_start.isoformat(),
        }
        return RatePlanNode(key=key, number=number, body=body, update=lasting, charges=charges)


def _charges(frame: Frame, period: str, prices: Sequence[Price]) -> tuple[ChargeNode, ...]:
    return charge_nodes(
        sorted(
            (price for price in prices if price.billing_period == period),
            key=lambda price: keys.charge_key(frame.key, price),
        ),
        package_key=frame.key,
        prefix=frame.tenant.key_prefix,
        generation=frame.generation(period),
        refusals=frame.refusals,
    )
