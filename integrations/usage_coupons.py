"""Which coupon Zuora takes off what is used: it looks at the day on which an invoice line begins.

A discount runs from the day of its order for so many months, or until an order takes it away.
Source: https://docs.zuora.com/en/zuora-billing/set-up-zuora-billing/build-product-and-prices/charge-models---configure-any-pricing/discount-pricing/discount-charge-models
"""

from datetime import UTC, date, datetime, time
from decimal import Decimal

from catalog.models import Coupon, CouponType
from integrations.zuora.mapping.tenant import Tenant
from subscriptions.models import Subscription
from subscriptions.past import coupons_held
from subscriptions.periods import add_months

#: What a coupon takes off: the same percentage is the same, and an amount is one balance of its coupon.
Discount = tuple[str, Decimal | int]


class CouponsOfDays:
    """The coupons of a subscription by days of the tenant: of several on a day, orders have but the last one."""

    def __init__(self, subscription: Subscription, tenant: Tenant) -> None:
        begin = tenant.day(subscription.first_billed)
        self._spans: list[tuple[Coupon, date, date]] = []
        for held in coupons_held(subscription):
            if held.coupon is None:
                continue
            first = max(begin, tenant.day(held.since))
            end = tenant.day(held.until) if held.until else date.max
            self._spans.append((held.coupon, first, min(end, _end_of(held.coupon, first))))

    def on(self, day: date) -> Coupon | None:
        """Return the coupon that runs on this day."""
        return next((coupon for coupon, first, end in self._spans if first <= day < end), None)


def _end_of(coupon: Coupon, first: date) -> date:
    if coupon.duration_in_months is None:
        return date.max
    return add_months(datetime.combine(first, time(), tzinfo=UTC), coupon.duration_in_months).date()


def discount_of(coupon: Coupon | None) -> Discount | None:
    """Return what takes the same off whenever it is equal."""
    if coupon is None:
        return None
    if coupon.coupon_type == CouponType.FIXED or coupon.percent_off is None:
        return coupon.coupon_type, coupon.pk
    return coupon.coupon_type, coupon.percent_off


def in_words(coupon: Coupon | None) -> str:
    """Return it as people say it: "without a coupon", or "under coupon launch"."""
    if coupon is None:
        return "without a coupon"
    left = " (as far as its amount was not used up)" if coupon.coupon_type == CouponType.FIXED else ""
    return f"under coupon {coupon.ref_id}{left}"
