"""What Stigg's API says of a subscription, as our own fields: pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from integrations.stigg.account import Row
from integrations.stigg.reading import Amount, amount_of
from integrations.stigg.values import Unreadable, metadata, moment, one_of, whole, zuoras
from subscriptions.models import OPEN, CancelReason, PaymentCollection, PaymentCollectionMethod
from subscriptions.wanted import Content

#: Longer than any month and shorter than any year.
_LONGEST_MONTH_DAYS = 32


@dataclass(frozen=True)
class Override:
    """What a subscription says it pays: for the plan or an add-on, its base fee or a feature's charge.

    `model` and `cadence` tell which charge that is, where there are several; empty where Stigg did not tell them.
    """

    addon: str
    feature: str
    amount: Amount
    model: str = ""
    cadence: str = ""


@dataclass(frozen=True)
class HeldAddon:
    """An add-on of a subscription, so many times; `version` is None where Stigg did not tell which was sold."""

    quantity: int
    version: int | None = None


@dataclass(frozen=True)
class Coming:
    """A change that Stigg has scheduled; `content` is None where it does not tell to what."""

    change_type: str
    status: str
    at: datetime
    target: str = ""
    content: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class SubscriptionRow:
    """A subscription, its parents by their Stigg ids; what Stigg did not tell is None."""

    ref_id: str
    customer: str
    payer: str
    plan: str
    version: int | None
    billing_period: str
    fields: Mapping[str, Any]
    coupon: str
    addons: Mapping[str, HeldAddon] = field(default_factory=dict)
    quantities: Mapping[str, int] | None = None
    prices: tuple[Override, ...] = ()
    coming: tuple[Coming, ...] | None = None
    anchor: datetime | None = None
    created: datetime | None = None


def subscription(row: Row) -> SubscriptionRow:
    """Return a subscription.

    The published models of Stigg's answers hold neither billing period nor quantities, so both are looked for where an
    answer may have them all the same; the period also shows in the length of the current one.
    """
    if row.get("minimumSpend"):
        raise Unreadable("It has a minimum spend, which has no counterpart in Zuora: bill that by hand.")
    cancelled = moment(row.get("cancellationDate"))
    changed = moment(row.get("effectiveFrom"))
    billed = {"billed_from": "billedFrom", "billed_until": "billedUntil"}  # which only a deployment of ours tells
    return SubscriptionRow(
        ref_id=row["id"],
        customer=row["customerId"],
        payer=row.get("payingCustomerId") or "",
        plan=row["planId"],
        version=whole(row.get("planVersionNumber")),
        billing_period=row.get("billingPeriod") or _period(row),
        fields={
            "status": row["status"],
            "start_date": moment(row["startDate"]),
            "trial_end_date": moment(row.get("trialEndDate")),
            # By default ours would be billed from its end on.
            "trial_end_behavior": (row.get("trial") or {}).get("trialEndBehavior") or "CONVERT_TO_PAID",
            "cancellation_date": cancelled,
            "cancellation_time": "SPECIFIC_DATE" if cancelled else "",
            "cancel_reason": one_of(CancelReason, row.get("cancelReason")),
            "effective_end_date": moment(row.get("effectiveEndDate")),
            **({"effective_from": changed} if changed else {}),
            **{name: moment(row[told]) for name, told in billed.items() if told in row},
            "payment_collection": one_of(PaymentCollection, row.get("paymentCollection")) or "NOT_REQUIRED",
            "payment_collection_method": one_of(PaymentCollectionMethod, row.get("paymentCollectionMethod")),
            "resource_id": row.get("resourceId") or "",
            "billing_id": zuoras(row.get("billingId")),
            "metadata": metadata(row),
        },
        coupon=next((one["id"] for one in row.get("coupons") or () if one.get("status") == "ACTIVE"), ""),
        addons={
            one["id"]: HeldAddon(_counted(one["quantity"]), whole(one.get("versionNumber")))
            for one in row.get("addons") or ()
        },
        quantities=_quantities(row),
        prices=tuple(_override(one) for one in row.get("prices") or () if one.get("currency") or one.get("tiers")),
        coming=_coming(row),
        anchor=moment(row.get("billingCycleAnchor")),
        created=moment(row.get("createdAt")),
    )


def _coming(row: Row) -> tuple[Coming, ...] | None:
    """Return what is scheduled and may still come to pass."""
    if not isinstance(found := row.get("futureUpdates"), list):
        return None
    return tuple(
        Coming(
            change_type=one["subscriptionScheduleType"],
            status=one["scheduleStatus"],
            at=_time(one["scheduledExecutionTime"]),
            target=(one.get("targetPackage") or {}).get("id") or "",
            content=_content(one),
        )
        for one in found
        if one["scheduleStatus"] in OPEN
    )


def _content(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what another deployment of ours tells of a change: Stigg's own cloud tells nothing of it."""
    if not isinstance(content := one.get("content"), dict):
        return None
    if "subscription" not in content and (
        [kind for kind, _ in Content.of([content]).by_type()] != [one["subscriptionScheduleType"]]
    ):
        raise Unreadable("One of its scheduled changes is not of the type that it is said to be.")
    return content


def _time(text: str) -> datetime:
    found = moment(text)
    if found is None:
        raise Unreadable("One of its scheduled changes has no time.")
    return found


def _quantities(row: Row) -> dict[str, int] | None:
    for name, key in (("charges", "id"), ("billableFeatures", "featureId")):
        found = row.get(name)
        if isinstance(found, list):
            counted = [one for one in found if one.get("type", "FEATURE") == "FEATURE"]
            return {one[key]: _counted(one["quantity"]) for one in counted}
    return None


def _counted(value: Any) -> int:
    found = whole(value)
    if found is None:
        raise Unreadable("One of its quantities is empty: set it in Stigg.")
    return found


def _override(one: Mapping[str, Any]) -> Override:
    price = {"amount": one["amount"], "currency": one["currency"]} if one.get("currency") else None
    if price and price["amount"] is None:
        price = None
    found = amount_of(price, one) if price or one.get("tiers") else None
    if found is None:
        raise Unreadable("One of its prices has neither an amount nor tiers: correct it in Stigg.")
    return Override(
        addon=one.get("addonId") or "",
        feature=one.get("featureId") or "",
        amount=found,
        model=one.get("billingModel") or "",
        cadence=one.get("billingCadence") or "",
    )


def _period(row: Row) -> str:
    start, end = moment(row.get("currentBillingPeriodStart")), moment(row.get("currentBillingPeriodEnd"))
    if start is None or end is None or end <= start:
        return ""
    return "MONTHLY" if (end - start).days < _LONGEST_MONTH_DAYS else "ANNUALLY"
