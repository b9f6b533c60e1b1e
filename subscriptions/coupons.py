"""Coupons that somebody holds, and discounts made for one subscription."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Coupon, CouponAmount, CouponStatus, CouponType
from catalog.validation import coupon_problems
from customers.models import Customer
from subscriptions.models import CustomerCoupon
from subscriptions.past import changed_with_customer


@transaction.atomic
def hold(*, customer: Customer, coupon: Coupon | None, now: datetime) -> None:
    """Give the customer this one coupon instead of another, or none, as of now.

    Raises:
        ValidationError: the coupon is archived.
    """
    held = CustomerCoupon.objects.select_for_update().filter(customer=customer).first()
    if coupon is None:
        if held is not None:
            with changed_with_customer(customer_id=customer.pk, at=now):
                held.delete()
        return
    if held is not None and held.coupon_id == coupon.pk:
        return
    if coupon.status != CouponStatus.ACTIVE:
        raise ValidationError(f"{coupon} is archived: choose an active coupon.")
    held = held or CustomerCoupon(customer=customer)
    held.coupon = coupon
    with changed_with_customer(customer_id=customer.pk, at=now):
        held.save()


@transaction.atomic
def discount(
    *,
    ref_id: str,
    name: str,
    percent_off: Decimal | None = None,
    amounts_off: Mapping[str, Decimal] | None = None,
    duration_in_months: int | None = None,
) -> Coupon:
    """Make a coupon for one subscription: a percentage, or an amount per currency.

    Raises:
        ValidationError: it is neither, both, or out of bounds.
    """
    coupon = Coupon(
        ref_id=ref_id,
        display_name=name,
        coupon_type=CouponType.FIXED if amounts_off else CouponType.PERCENTAGE,
        percent_off=percent_off,
        duration_in_months=duration_in_months,
    )
    coupon.full_clean()
    if problems := coupon_problems(coupon_type=coupon.coupon_type, currencies=amounts_off or {}):
        raise ValidationError(problems)
    coupon.save()
    for currency, amount in (amounts_off or {}).items():
        row = CouponAmount(coupon=coupon, currency=currency, amount=amount)
        row.full_clean()
        row.save()
    return coupon
