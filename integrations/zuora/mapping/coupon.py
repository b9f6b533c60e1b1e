from collections.abc import Mapping, Sequence
from datetime import date

from catalog.models import Coupon, CouponStatus, CouponType
from integrations.zuora.mapping import keys
from integrations.zuora.mapping.charges import BILLING_PERIODS, charge_body
from integrations.zuora.mapping.nodes import Body, ChargeNode, ProductNode, TierNode
from integrations.zuora.mapping.package import PERIOD_NAMES, Frame
from integrations.zuora.mapping.refusal import Refusals
from integrations.zuora.mapping.tenant import Tenant

#: Zuora's charge model and the member of a tier row that says how much, by the coupon's type.
_MODELS = {
    CouponType.PERCENTAGE.value: ("Discount-Percentage", "DiscountPercentage"),
    CouponType.FIXED.value: ("Discount-Fixed Amount", "DiscountAmount"),
}


def coupon_tree(
    coupon: Coupon,
    *,
    currencies: Sequence[str],
    tenant: Tenant,
    today: date,
    generations: Mapping[str, int],
    expired_on: date | None = None,
) -> ProductNode:
    """Return what Zuora should hold of a coupon: a product with a discount for each billing period.

    A discount of Zuora's repeats with its own billing period. So a monthly one would take ten euros off an annual plan
    twelve times: it has to have the period of the plan that it discounts. `currencies` are those in which the catalog
    sells: a percentage, too, is valid only in the currencies that its charge names. A fixed coupon brings its own.

    Raises:
        Refused: Zuora cannot hold it; every reason at once.
    """
    frame = Frame(
        key=keys.coupon_key(coupon.ref_id),
        tenant=tenant,
        end=(expired_on or today) if coupon.status == CouponStatus.ARCHIVED else tenant.catalog_end,
        generations=generations,
        refusals=Refusals(),
    )
    tiers = _tiers(coupon, currencies, frame.refusals)
    tree = frame.product(
        coupon,
        category="Miscellaneous Products",
        url=tenant.entity_url("coupons", coupon.ref_id),
        rate_plans=tuple(
            frame.rate_plan(period, (_discount(coupon, period, tiers=tiers, frame=frame),)) for period in PERIOD_NAMES
        ),
    )
    frame.refusals.answer()
    return tree


def discount_key(coupon: Coupon, period: str) -> str:
    """Return the record key of a coupon's charge: `coupon:launch/MONTHLY/PERCENTAGE`."""
    return f"{keys.rate_plan_key(keys.coupon_key(coupon.ref_id), period)}/{coupon.coupon_type}"


def _discount(coupon: Coupon, period: str, *, tiers: tuple[TierNode, ...], frame: Frame) -> ChargeNode:
    model, _ = _MODELS[coupon.coupon_type]
    number = keys.discount_number(
        frame.key,
        period,
        coupon.coupon_type,
        prefix=frame.tenant.key_prefix,
        generation=frame.generation(period),
    )
    body = charge_body(
        name="Discount",
        number=number,
        model=model,
        kind="Recurring",
        period=BILLING_PERIODS[period],
        rows=[{"Currency": tier.currency, tier.field: tier.value} for tier in tiers],
        details={
            "DiscountLevel": "subscription",
            "ApplyDiscountTo": "ONETIMERECURRINGUSAGE",
            **_end_condition(coupon),
        },
    )
    shape = {
        "model": model,
        "period": BILLING_PERIODS[period],
        "months": coupon.duration_in_months,
        "rows": [tier.currency for tier in tiers],
    }
    return ChargeNode(
        key=discount_key(coupon, period),
        number=number,
        body=body,
        shape=shape,
        tiers=tiers,
    )


def _end_condition(coupon: Coupon) -> Body:
    if coupon.duration_in_months is None:
        return {"EndDateCondition": "SubscriptionEnd"}
    return {
        "EndDateCondition": "FixedPeriod",
        "UpToPeriods": coupon.duration_in_months,
        "UpToPeriodsType": "Months",
    }


def _tiers(coupon: Coupon, currencies: Sequence[str], refusals: Refusals) -> tuple[TierNode, ...]:
    _, member = _MODELS[coupon.coupon_type]
    what = f"The discount of coupon {coupon.ref_id}"
    if coupon.coupon_type == CouponType.FIXED:
        amounts = [(amount.currency, amount.amount) for amount in coupon.amounts.all()]
    elif coupon.percent_off is None:
        refusals.add(f"{what} has no percentage: fill it in.")
        return ()
    else:
        amounts = [(currency, coupon.percent_off) for currency in set(currencies)]
    if not amounts:
        refusals.add(f"{what} has no currency to apply in: give it an amount, or sell a plan in some currency first.")
    return tuple(
        TierNode(currency, None, member, refusals.number(amount, what=f"{what} in {currency}"))
        for currency, amount in sorted(amounts)
    )
