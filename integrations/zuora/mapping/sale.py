"""What a subscription holds of one plan or add-on: its charges, each with quantity and price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from catalog.models import BillingModel, Package, Price
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.amounts import Step, localised, steps
from integrations.zuora.mapping.charges import charge_model, charge_type, default_quantity, describe, is_supported
from integrations.zuora.mapping.contract import ContractCharge, ContractTier, PlacedCharge
from integrations.zuora.mapping.refusal import Refusals
from subscriptions.models import PriceOverride, Subscription


@dataclass(frozen=True)
class Sale:
    """A plan or an add-on, in the version that was sold, so many times.

    `was` are the charges that a running subscription holds of it, by record key; empty while it is new.
    """

    subscription: Subscription
    package: Package
    version: int
    quantity: int
    was: Mapping[str, ContractCharge]
    refusals: Refusals

    def charge(self, price: Price, *, key: str, place: PlacedCharge) -> ContractCharge:
        """Return a charge with what this subscription pays for it; what a running one was sold stays as it is."""
        charge: ContractCharge = {"key": key, "id": place.id, "number": place.number}
        if not is_supported(price, self.refusals):
            return charge
        was = self.was.get(key)
        pricing = _pricing_member(price)
        if was and was.get("pricing") != pricing:
            return was
        charge["pricing"] = pricing
        if price.billing_model == BillingModel.PER_UNIT:
            charge["quantity"] = f"{self._units(price):f}"
        if charge_type(price) == "Usage" and self.quantity > 1:
            self.refusals.add(
                f"{describe(price)} is by usage, and the add-on is taken {self.quantity} times: usage is billed once, "
                "so set the add-on's quantity to 1."
            )
        override = self._override(key)
        times = self.quantity if price.billing_model == BillingModel.FLAT_FEE else 1
        is_list_price = override is None and times == 1
        charge["listed"] = is_list_price and self.version == self.package.version_number
        if is_list_price and was and was.get("listed"):
            return _with_price_of(charge, was)
        return _with_steps(charge, self._steps(price, override, times=times))

    def _units(self, price: Price) -> Decimal:
        feature = price.feature.ref_id if price.feature else ""
        given = {row.feature.ref_id: Decimal(row.quantity) for row in self.subscription.quantities.all()}
        units = given.get(feature, default_quantity(price)) * self.quantity
        return self.refusals.number(units, what=f"The quantity of {feature} in {self.subscription.ref_id}")

    def _override(self, key: str) -> PriceOverride | None:
        """Return the override of a charge: of the version that was sold, else of the newest that has one.

        It hangs on one version's price, and is meant for the charge: it stays when the subscription moves to another
        version.
        """
        found = [
            row
            for row in self.subscription.price_overrides.all()
            if keys.charge_key(keys.package_key(row.price.package), row.price) == key
        ]
        return max(
            found,
            key=lambda row: (row.price.version_number == self.version, row.price.version_number),
            default=None,
        )

    def _steps(self, price: Price, override: PriceOverride | None, *, times: int) -> tuple[Step, ...]:
        """Return what the charge costs this payer: the override, else the list price of the version that was sold."""
        payer = self.subscription.payer
        what = f"{describe(price)} in {payer.billing_currency}"
        if override:
            what = f"The price override of subscription {self.subscription.ref_id} for {what[0].lower()}{what[1:]}"
            ladder = steps(price, amount=override.amount, tiers=override.tiers.all(), what=what, refusals=self.refusals)
        else:
            found = localised(price.amounts.all(), currency=payer.billing_currency, country=payer.billing_country)
            if found is None:
                self.refusals.add(
                    f"{describe(price)} has no price in {payer.billing_currency or 'no currency'}, the currency of "
                    f"customer {payer.ref_id}: add one, or override it in the subscription."
                )
                return ()
            ladder = steps(price, amount=found.amount, tiers=found.tiers.all(), what=what, refusals=self.refusals)
        if times == 1:
            return ladder
        return tuple(
            Step(price=self.refusals.number(step.price * times, what=f"{times} times {what}")) for step in ladder
        )


def _pricing_member(price: Price) -> str:
    """Return the member of an order's pricing: `recurringPerUnit`, `usageTiered`, `oneTimeFlatFee`, ..."""
    kind = {"OneTime": "oneTime", "Recurring": "recurring", "Usage": "usage"}[charge_type(price)]
    return kind + charge_model(price).replace(" ", "")


def _with_price_of(charge: ContractCharge, was: ContractCharge) -> ContractCharge:
    if "price" in was:
        charge["price"] = was["price"]
    if "tiers" in was:
        charge["tiers"] = was["tiers"]
    return charge


def _with_steps(charge: ContractCharge, ladder: Sequence[Step]) -> ContractCharge:
    if ladder and ladder[0].start is None:
        charge["price"] = f"{ladder[0].price:f}"
    elif ladder:
        charge["tiers"] = [_tier(step) for step in ladder]
    return charge


def _tier(step: Step) -> ContractTier:
    tier: ContractTier = {
        "start": str(step.start),
        "price": f"{step.price:f}",
        "format": "PerUnit" if step.per_unit else "FlatFee",
    }
    if step.end is not None:
        tier["end"] = str(step.end)
    return tier
