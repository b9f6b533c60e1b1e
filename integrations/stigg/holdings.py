"""Brings what a subscription holds to what Stigg's holds: add-ons, quantities, prices of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from catalog.models import Addon, BillingModel, Feature, Price
from catalog.tiers import Tier
from customers.models import Customer
from integrations.stigg.reading import Amount
from integrations.stigg.reading_subscriptions import HeldAddon, Override, SubscriptionRow
from integrations.stigg.saving import Saver
from integrations.stigg.values import Unreadable
from integrations.stigg.writing import parent
from integrations.zuora.mapping.amounts import localised
from subscriptions.models import (
    PriceOverride,
    PriceOverrideTier,
    Subscription,
    SubscriptionAddon,
    SubscriptionQuantity,
)


@dataclass(frozen=True)
class Hands:
    """Give a subscription, whose own row is told to the saver already, what it holds; each tells whether that differs.

    One that `is_new` holds nothing yet, and is not asked.
    """

    subscription: Subscription
    saver: Saver
    is_new: bool

    def addons(self, wanted: Mapping[Addon, HeldAddon]) -> bool:
        """Hold these add-ons and no others."""
        stored = {} if self.is_new else {one.addon: one for one in self.subscription.addons.all()}
        before = {addon: HeldAddon(one.quantity, one.addon_version_number) for addon, one in stored.items()}
        for addon, one in stored.items():
            if addon not in wanted:
                self.saver.delete(one)
        for addon, held in wanted.items():
            if before.get(addon) == held:
                continue
            row = stored.get(addon) or SubscriptionAddon(subscription=self.subscription, addon=addon)
            row.quantity, row.addon_version_number = held.quantity, held.version or addon.version_number
            self.saver.save(row, ["quantity", "addon_version_number"])
        return before != dict(wanted)

    def quantities(self, row: SubscriptionRow, prices: Sequence[Price], features: Mapping[str, Feature]) -> bool:
        """Hold as many units as it has of each feature that it is sold by.

        Raises:
            Unreadable: Stigg does not tell, and we do not know.
        """
        stored = {} if self.is_new else {one.feature.ref_id: one for one in self.subscription.quantities.all()}
        counted = {one.feature.ref_id for one in prices if one.billing_model == BillingModel.PER_UNIT and one.feature}
        if row.quantities is None:
            if unknown := sorted(counted - stored.keys()):
                raise Unreadable(
                    f"Stigg's API does not say how many {', '.join(unknown)} it has, and a guess would be a wrong "
                    "invoice: make the subscription here with its quantities, then import again."
                )
            return False
        before = {ref_id: one.quantity for ref_id, one in stored.items()}
        wanted = {ref_id: quantity for ref_id, quantity in row.quantities.items() if ref_id in counted}
        for ref_id, one in stored.items():
            if ref_id not in wanted:
                self.saver.delete(one)
        for ref_id, quantity in wanted.items():
            if before.get(ref_id) == quantity:
                continue
            feature = parent(features, ref_id, "feature")
            held = stored.get(ref_id) or SubscriptionQuantity(subscription=self.subscription, feature=feature)
            held.quantity = quantity
            self.saver.save(held, ["quantity"])
        return before != wanted

    def overrides(self, row: SubscriptionRow, prices: Sequence[Price]) -> bool:
        """Hold as overrides what it pays otherwise than the list says."""
        wanted = _overrides(self.subscription.payer, row, prices)
        stored = {} if self.is_new else {one.price: one for one in self.subscription.price_overrides.all()}
        changed = False
        for price, held in stored.items():
            if price not in wanted:
                self.saver.delete(held)
                changed = True
        for price, amount in wanted.items():
            before = stored.get(price)
            if before and (before.amount, tuple(map(Tier.of, before.tiers.all()))) == (amount.amount, amount.tiers):
                continue
            if before:
                self.saver.delete(before)
            self._override(price, amount)
            changed = True
        return changed

    def _override(self, price: Price, amount: Amount) -> None:
        override = PriceOverride(subscription=self.subscription, price=price, amount=amount.amount)
        self.saver.save(override, ["amount"])
        for tier in amount.tiers:
            prices = {"unit_price": tier.unit_price, "flat_price": tier.flat_price}
            self.saver.save(PriceOverrideTier(price_override=override, up_to=tier.up_to, **prices), list(prices))


def _overrides(payer: Customer, row: SubscriptionRow, prices: Sequence[Price]) -> dict[Price, Amount]:
    wanted = {}
    for one in row.prices:
        if payer.billing_currency and one.amount.currency != payer.billing_currency:
            raise Unreadable(
                f"It pays in {one.amount.currency}, and {payer} is billed in {payer.billing_currency}: make them the "
                "same in Stigg."
            )
        price = _price_of(one, prices, payer)
        if not _is_listed(one, price, payer):
            wanted[price] = one.amount
    return wanted


def _price_of(one: Override, prices: Sequence[Price], payer: Customer) -> Price:
    found = [
        price
        for price in prices
        if (price.addon.ref_id if price.addon else "") == one.addon
        and (price.feature.ref_id if price.feature else "") == one.feature
        and one.model in {"", price.billing_model}
        and one.cadence in {"", price.billing_cadence}
    ]
    if len(found) > 1:  # a fee each month and one at the start: whose list price it is
        found = [price for price in found if _is_listed(one, price, payer)][:1] or found
    if len(found) != 1:
        what = f"{one.addon or 'its plan'}{' for ' + one.feature if one.feature else ''}"
        raise Unreadable(f"It has a price of {what}, which is not one charge of what it was sold: correct it in Stigg.")
    return found[0]


def _is_listed(one: Override, price: Price, payer: Customer) -> bool:
    """Tell whether this payer would pay that much by the list: another country's price is no reason to."""
    listed = localised(price.amounts.all(), currency=one.amount.currency, country=payer.billing_country)
    if listed is None:
        return False
    return (listed.amount, tuple(map(Tier.of, listed.tiers.all()))) == (one.amount.amount, one.amount.tiers)
