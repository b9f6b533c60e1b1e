"""Coupons (https://docs.stigg.io/api-reference/coupons): what they take off never changes once they are made."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Literal

from pydantic import Field, model_validator

from catalog import publishing
from catalog.models import Coupon, CouponAmount, CouponStatus, CouponType
from integrations.api.finding import find
from integrations.api.money import Currency, MoneyOut, Tidy
from integrations.api.operation import Call, RateClass, operation
from integrations.api.paging import page
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Count,
    Data,
    Input,
    LongText,
    Metadata,
    Name,
    Output,
    Page,
    Percent,
    Positive,
    RefId,
    SyncState,
    Text,
)
from integrations.api.sync_states import standings
from integrations.api.writing import create, update, values
from integrations.models import EntityKind

_TAG = "Coupons"
_FOR_GOOD = "what a coupon takes off cannot be changed, since somebody may have redeemed it: make another one."


class AmountOffIn(Input):
    """So much less, in one currency."""

    amount: Positive
    currency: Currency


class CouponIn(Input):
    """A coupon of a percentage, or of amounts: one of the two."""

    id: RefId
    name: Name
    description: LongText | None = None
    percent_off: Percent | None = None
    amounts_off: list[AmountOffIn] | None = None
    duration_in_months: Count | None = Field(None, description="Left out, it does not end.")
    metadata: Metadata | None = None
    billing_id: Text | None = Field(None, description="Links a product that Zuora has already.")

    @model_validator(mode="after")
    def _one_of_two(self) -> "CouponIn":
        if (self.percent_off is None) == (not self.amounts_off):
            raise ValueError("give percentOff or amountsOff: one of the two")
        return self


class CouponChange(Input):
    """What of a coupon can be changed."""

    IMMUTABLE = dict.fromkeys(("percentOff", "amountsOff", "durationInMonths"), _FOR_GOOD)

    name: Name = Field(default_factory=str)
    description: LongText | None = None
    metadata: Metadata | None = None
    billing_id: Text | None = None


class CouponOut(Output):
    """A coupon."""

    id: str
    name: str
    type: CouponType
    description: str | None
    percent_off: Tidy | None
    amounts_off: list[MoneyOut] | None
    duration_in_months: int | None
    status: CouponStatus
    source: Literal["STIGG"] = "STIGG"
    metadata: dict[str, str]
    billing_id: str | None
    billing_link_url: str | None
    sync_states: tuple[SyncState, ...]
    created_at: datetime
    updated_at: datetime


class CouponQuery(ByCreation):
    """Which coupons."""

    id: Text | None = None
    status: CommaList[CouponStatus] | None = None
    type: CouponType | None = None


_RENAMED = {"id": "ref_id", "name": "display_name"}


@operation("POST", "/api/v1/coupons", tag=_TAG, status=HTTPStatus.CREATED, rate=RateClass.COUPON)
def create_coupon(_call: Call, *, body: CouponIn) -> Data[CouponOut]:
    """Make a coupon."""
    given = values(body, kind=Coupon, renamed=_RENAMED, without=("amounts_off",))
    kind = CouponType.FIXED if body.amounts_off else CouponType.PERCENTAGE
    coupon = create(Coupon(coupon_type=kind, **given), ref_id=body.id)
    for off in body.amounts_off or ():
        amount = CouponAmount(coupon=coupon, currency=off.currency, amount=off.amount)
        amount.full_clean()
        amount.save()
    return _data(coupon)


@operation("GET", "/api/v1/coupons", tag=_TAG, rate=RateClass.COUPON)
def list_coupons(_call: Call, *, query: CouponQuery) -> Page[CouponOut]:
    """List coupons."""
    rows = Coupon.objects.filter(**query.conditions()).prefetch_related("amounts")
    rows = rows.filter(ref_id=query.id) if query.id else rows
    rows = rows.filter(status__in=query.status) if query.status else rows
    rows = rows.filter(coupon_type=query.type) if query.type else rows
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/coupons/{coupon_id}", tag=_TAG, rate=RateClass.COUPON)
def retrieve_coupon(_call: Call, *, coupon_id: str) -> Data[CouponOut]:
    """Read a coupon."""
    return _data(find(Coupon.objects.all(), coupon_id))


@operation("PATCH", "/api/v1/coupons/{coupon_id}", tag=_TAG, rate=RateClass.COUPON)
def update_coupon(_call: Call, *, body: CouponChange, coupon_id: str) -> Data[CouponOut]:
    """Change what a coupon is called, and what is noted of it; metadata is replaced as a whole."""
    coupon = find(Coupon.objects.select_for_update(), coupon_id)
    return _data(update(coupon, values(body, kind=Coupon, renamed=_RENAMED)))


@operation("POST", "/api/v1/coupons/{coupon_id}/archive", tag=_TAG, rate=RateClass.COUPON)
def archive_coupon(_call: Call, *, coupon_id: str) -> Data[CouponOut]:
    """Let nobody redeem a coupon any more; who has it keeps it."""
    coupon = find(Coupon.objects.select_for_update(), coupon_id)
    publishing.archive_coupon(coupon=coupon)
    return _data(coupon)


def _data(coupon: Coupon) -> Data[CouponOut]:
    return Data(data=_out([coupon])[0])


def _out(coupons: Sequence[Coupon]) -> list[CouponOut]:
    standing = standings(EntityKind.COUPON, coupons)
    return [
        CouponOut(
            id=coupon.ref_id,
            name=coupon.display_name,
            type=CouponType(coupon.coupon_type),
            description=coupon.description or None,
            percent_off=coupon.percent_off,
            amounts_off=[MoneyOut.of(off.amount, off.currency) for off in coupon.amounts.all()] or None,
            duration_in_months=coupon.duration_in_months,
            status=CouponStatus(coupon.status),
            metadata=coupon.metadata,
            billing_id=standing[coupon.pk].billing_id,
            billing_link_url=standing[coupon.pk].billing_link_url,
            sync_states=standing[coupon.pk].states,
            created_at=coupon.created_at,
            updated_at=coupon.updated_at,
        )
        for coupon in coupons
    ]
