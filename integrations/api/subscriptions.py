"""Subscriptions (https://docs.stigg.io/api-reference/subscriptions): how they come, and how they are read."""

import secrets
from http import HTTPStatus
from typing import Any, Literal

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Plan, PricingType
from customers.models import Customer
from integrations import usage_sync
from integrations.api.errors import ApiError, bad_input, batch_refusal, refusal
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.paging import page
from integrations.api.schema import Data, Output, Page
from integrations.api.subscription_out import SubscriptionOut, told, with_content
from integrations.api.subscription_parts import AppliedCouponIn, by_id
from integrations.api.subscriptions_schema import (
    ImportedSubscriptionIn,
    ImportedSubscriptionsIn,
    SubscriptionIn,
    SubscriptionQuery,
)
from integrations.api.usage_schema import Triggered
from integrations.collecting import collecting
from integrations.operating import Impossible
from integrations.tasks import ring_sweep
from subscriptions import coupons, importing, provisioning
from subscriptions.importing import Imported
from subscriptions.models import Subscription, SubscriptionStatus
from subscriptions.provisioning import Order
from subscriptions.trials import Trial
from subscriptions.wanted import Content
from usage.checking import Problem, Reason

_TAG = "Subscriptions"


class Provisioned(Output):
    """The new subscription, and whether it waits for its payment or its start."""

    id: str
    status: Literal["SUCCESS", "PAYMENT_REQUIRED"]
    is_scheduled: bool
    entitlements: None = None
    checkout_url: None = None
    checkout_billing_id: None = None
    subscription: SubscriptionOut


class ImportTask(Output):
    """The import; it is done when it is answered."""

    task_id: str


@operation("POST", "/api/v1/subscriptions", tag=_TAG, status=HTTPStatus.CREATED)
def provision_subscription(call: Call, *, body: SubscriptionIn) -> Data[Provisioned]:
    """Give a customer a subscription; it ends the one whose place it takes, as of its start."""
    customer = find(Customer.objects.all(), body.customer_id)
    payer = find(Customer.objects.all(), body.paying_customer_id) if body.paying_customer_id else None
    _check_country(body, payer or customer)
    ref_id = body.id or f"subscription-{secrets.token_hex(8)}"
    order = Order(
        customer=customer,
        plan=find(Plan.objects.select_related("product"), body.plan_id),
        ref_id=ref_id,
        content=body.content(coupon=applied(body.applied_coupon, ref_id=ref_id), unit_quantity=body.unit_quantity),
        start=body.start_date,
        trial=_trial(body),
        no_trial=body.trial_override_configuration is not None and not body.trial_override_configuration.is_trial,
        paying_customer=payer,
        resource_id=body.resource_id or "",
        cancellation_date=body.cancellation_date,
        billing_id=body.billing_id or "",
        payment_collection_method=body.payment_collection_method or "",
        awaits_payment=body.awaits_payment,
        is_backdated=bool(body.billing_information and body.billing_information.is_backdated),
        strategy=body.schedule_strategy,
    )
    made = answer(provisioning.provision(order=order, now=call.now), call)
    is_awaited = made.status == SubscriptionStatus.PAYMENT_PENDING
    return Data(
        data=Provisioned(
            id=made.id,
            status="PAYMENT_REQUIRED" if is_awaited else "SUCCESS",
            is_scheduled=made.status == SubscriptionStatus.NOT_STARTED,
            subscription=made,
        )
    )


@operation("GET", "/api/v1/subscriptions", tag=_TAG)
def list_subscriptions(call: Call, *, query: SubscriptionQuery) -> Page[SubscriptionOut]:
    """List subscriptions."""
    asked: dict[str, Any] = {
        "customer__ref_id": query.customer_id,
        "plan__ref_id": query.plan_id,
        "resource_id": query.resource_id,
        "plan__pricing_type__in": query.pricing_type,
        "status__in": query.status,
    }
    wanted = {name: value for name, value in asked.items() if value is not None}
    rows = with_content(Subscription.objects.filter(**query.conditions(), **wanted))
    return page(rows, query=query, write=lambda found: told(found, now=call.now))


@operation("GET", "/api/v1/subscriptions/{subscription_id}", tag=_TAG)
def retrieve_subscription(call: Call, *, subscription_id: str) -> Data[SubscriptionOut]:
    """Read a subscription."""
    return Data(data=answer(find(Subscription.objects.all(), subscription_id), call))


@operation("POST", "/api/v1/subscriptions/import", tag=_TAG, status=HTTPStatus.CREATED)
def import_subscriptions(call: Call, *, body: ImportedSubscriptionsIn) -> Data[ImportTask]:
    """Take over subscriptions as they ran in another system: all of them or none, and twice is once."""
    customers = Customer.objects.in_bulk({one.customer_id for one in body.subscriptions}, field_name="ref_id")
    plans = Plan.objects.select_related("product").in_bulk(
        {one.plan_id for one in body.subscriptions}, field_name="ref_id"
    )
    if problems := list(_unknown(body, customers, plans)):
        raise refusal(problems)
    rows = [_imported(one, customers[one.customer_id], plans[one.plan_id]) for one in body.subscriptions]
    try:
        with collecting(now=call.now):
            importing.import_subscriptions(rows=rows, now=call.now)
    except ValidationError as wrong:
        raise batch_refusal(wrong) from wrong
    transaction.on_commit(ring_sweep, robust=True)
    return Data(data=ImportTask(task_id=secrets.token_hex(16)))


@operation("POST", "/api/v1/subscriptions/{subscription_id}/usage/sync", tag=_TAG, holds_transaction=False)
def sync_subscription_usage(call: Call, *, subscription_id: str) -> Data[Triggered]:
    """Send what was used and is not in Zuora yet.

    Pressed twice, it sends nothing twice. `triggered` is false when something could not be sent, now or before; the
    page of the subscription says why.
    """
    subscription = find(Subscription.objects.select_related("customer"), subscription_id)
    try:
        sent = usage_sync.sync_now(subscription=subscription, actor=None, now=call.now)
    except Impossible as answer:
        raise ApiError(HTTPStatus.BAD_REQUEST, "BillingIntegrationMissing", str(answer)) from answer
    return Data(data=Triggered(triggered=not sent.problem and not sent.failed))


def answer(subscription: Subscription, call: Call) -> SubscriptionOut:
    """Write a subscription as it is stored."""
    return told([with_content(Subscription.objects.all()).get(pk=subscription.pk)], now=call.now)[0]


def applied(given: AppliedCouponIn | None, *, ref_id: str) -> str | None:
    """Return the id of the coupon that is to apply, empty for none; a discount becomes a coupon of its own."""
    if given is None:
        return None
    if given.discount is None:
        return given.coupon_id or ""
    if given.coupon_id:
        raise bad_input("appliedCoupon: give couponId or discount, one of the two.")
    discount = given.discount
    coupon = coupons.discount(
        ref_id=f"discount-{secrets.token_hex(6)}",
        name=f"{discount.name} ({ref_id})"[:255],
        percent_off=discount.percent_off,
        amounts_off=discount.amounts(),
        duration_in_months=discount.duration_in_months,
    )
    return coupon.ref_id


def _trial(body: SubscriptionIn) -> Trial | None:
    given = body.trial_override_configuration
    if given is None or not given.is_trial:
        return None
    return Trial(ends=given.trial_end_date, behavior=given.trial_end_behavior)


def _check_country(body: SubscriptionIn, payer: Customer) -> None:
    """Refuse a country that is not the payer's: it chooses the price here, as it does on the invoice."""
    asked = body.billing_country_code
    if asked is not None and asked != payer.billing_country:
        raise bad_input(
            f"billingCountryCode: prices are those of the payer's country, and {payer} is in "
            f"{payer.billing_country or 'none'}: change the customer's billing address."
        )


def _unknown(body: ImportedSubscriptionsIn, customers: dict[str, Customer], plans: dict[str, Plan]) -> list[Problem]:
    found = []
    for index, one in enumerate(body.subscriptions):
        if one.customer_id not in customers:
            found.append(Problem(index, Reason.CUSTOMER_NOT_FOUND, f"No customer has the id {one.customer_id!r}."))
        if one.plan_id not in plans:
            found.append(Problem(index, Reason.PLAN_NOT_FOUND, f"No plan has the id {one.plan_id!r}."))
    return found


def _imported(one: ImportedSubscriptionIn, customer: Customer, plan: Plan) -> Imported:
    content = Content(
        billing_period=one.billing_period if plan.pricing_type == PricingType.PAID else None,
        addons=by_id(one.addons, "addons"),
        quantities=by_id(one.charges, "charges"),
        metadata=one.metadata,
    )
    order = Order(
        customer=customer,
        plan=plan,
        ref_id=one.id,
        content=content,
        start=one.start_date,
        resource_id=one.resource_id or "",
        billing_id=one.billing_id or "",
    )
    return Imported(order, one.end_date)
