from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import Driver, create_action, flat_catalog, usage_body, usage_catalog, usd

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn

TIERS = [usd(5, StartingUnit=0, EndingUnit=10), usd(3, StartingUnit=11, EndingUnit=20), usd(1, StartingUnit=21)]
STAIRS = [
    usd(50, StartingUnit=0, EndingUnit=10, PriceFormat="Flat Fee"),
    usd(80, StartingUnit=11, PriceFormat="Flat Fee"),
]


def sell(zuora: Driver, name: str, tiers: list[dict[str, Any]], *, plan: str = "basic-month", **more: Any) -> None:
    """A plan of one charge, subscribed to by a new account."""
    zuora.unit()
    zuora.charge(zuora.plan(zuora.product(plan), plan), name, tiers, **more)
    zuora.account()
    zuora.subscribe(plan=plan)


def invoiced(app: StandIn, day: str) -> list[tuple[str, str, str, str]]:
    """The lines of the invoices that a bill run makes now: charge, from, through, amount."""
    made = {one["Id"] for one in app.control.bill_run(date.fromisoformat(day))}
    items = [one for one in app.control.rows("InvoiceItem") if one["InvoiceId"] in made]
    return [
        (one["ChargeName"], one["ServiceStartDate"], one["ServiceEndDate"], f"{one['ChargeAmount']}") for one in items
    ]


@pytest.mark.parametrize(
    ("model", "tiers", "quantity", "amount"),
    [
        ("Per Unit Pricing", [usd("0.123")], 10, "1.23"),
        ("Tiered Pricing", TIERS, 0, "0.00"),
        ("Tiered Pricing", TIERS, 10, "50.00"),
        ("Tiered Pricing", TIERS, 11, "53.00"),
        ("Tiered Pricing", TIERS, 25, "85.00"),
        ("Tiered Pricing", TIERS, "10.5", "51.50"),
        ("Volume Pricing", TIERS, 10, "50.00"),
        ("Volume Pricing", TIERS, 11, "33.00"),
        ("Volume Pricing", TIERS, 25, "25.00"),
        ("Volume Pricing", STAIRS, 7, "50.00"),
        ("Volume Pricing", STAIRS, 70, "80.00"),
        ("Tiered Pricing", STAIRS, 11, "130.00"),
    ],
)
def test_what_a_quantity_costs(
    zuora: Driver, model: str, tiers: list[dict[str, Any]], quantity: Any, amount: str
) -> None:
    sell(zuora, "calls", tiers, ChargeModel=model, ChargeType="Usage", UOM="calls")
    zuora.made("/v1/object/usage", usage_body(zuora.charge_number("calls"), Quantity=quantity))
    assert invoiced(zuora.app, "2026-02-01") == [("calls", "2026-01-01", "2026-01-31", amount)]


def test_recurring_is_billed_in_advance_and_usage_when_its_period_is_over(zuora: Driver, app: StandIn) -> None:
    sell(zuora, "fee", [usd(100)])
    zuora.charge(
        app.control.rows("ProductRatePlan")[0]["Id"],
        "calls",
        [usd(1)],
        ChargeModel="Per Unit Pricing",
        ChargeType="Usage",
        UOM="calls",
    )
    zuora.subscribe("sub-2")
    zuora.made("/v1/object/usage", {**usage_body(zuora.charge_number("calls", "sub-2")), "SubscriptionNumber": "sub-2"})
    assert invoiced(app, "2025-12-31") == []
    january = ("2026-01-01", "2026-01-31", "100.00")
    assert invoiced(app, "2026-01-31") == [("fee", *january), ("fee", *january)]
    assert invoiced(app, "2026-01-31") == []
    february = ("2026-02-01", "2026-02-28", "100.00")
    assert invoiced(app, "2026-02-01") == [
        ("fee", *february),
        ("fee", *february),
        ("calls", "2026-01-01", "2026-01-31", "10.00"),
    ]


def test_a_first_period_cut_by_the_bill_cycle_day_is_prorated_by_day(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe(day="2026-01-17")
    assert invoiced(app, "2026-02-01") == [
        ("fee", "2026-01-17", "2026-01-31", "48.39"),
        ("fee", "2026-02-01", "2026-02-28", "100.00"),
    ]


def test_a_year_is_one_period_and_its_last_cut_is_prorated(zuora: Driver, app: StandIn) -> None:
    sell(zuora, "fee", [usd(365)], BillingPeriod="Annual", BillCycleType="SubscriptionStartDay")
    member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-01-11"}
    zuora.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1")
    assert invoiced(app, "2026-01-01") == [("fee", "2026-01-01", "2026-01-10", "10.00")]


def test_a_one_time_charge_is_billed_once(zuora: Driver, app: StandIn) -> None:
    sell(zuora, "setup", [usd(75)], ChargeType="OneTime", BillingPeriod=None)
    assert invoiced(app, "2026-03-01") == [("setup", "2026-01-01", "2026-01-01", "75.00")]
    assert invoiced(app, "2026-04-01") == []


def test_a_cancellation_in_a_billed_period_gives_back_what_is_left(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    invoiced(app, "2026-01-01")
    member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-01-11"}
    zuora.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1")
    assert invoiced(app, "2026-01-01") == [
        ("fee", "2026-01-01", "2026-01-10", "32.26"),
        ("fee", "2026-01-01", "2026-01-31", "-100.00"),
    ]
    assert sum(Decimal(one["Amount"]) for one in app.control.rows("Invoice")) == Decimal("32.26")


def test_a_new_quantity_splits_the_period(zuora: Driver, app: StandIn) -> None:
    sell(zuora, "seats", [usd(10)], ChargeModel="Per Unit Pricing", UOM="calls", DefaultQuantity=1)
    update = {"chargeNumber": zuora.charge_number("seats"), "pricing": {"recurringPerUnit": {"quantity": 3}}}
    member = {"productRatePlanNumber": "basic-month", "chargeUpdates": [update]}
    zuora.order({"type": "UpdateProduct", "updateProduct": member}, subscription="sub-1", day="2026-01-16")
    assert invoiced(app, "2026-01-31") == [
        ("seats", "2026-01-01", "2026-01-15", "4.84"),
        ("seats", "2026-01-16", "2026-01-31", "15.48"),
    ]


@pytest.mark.parametrize(
    ("model", "tier", "amount"),
    [
        ("Discount-Percentage", {"Currency": "USD", "DiscountPercentage": 20}, "-20.00"),
        ("Discount-Fixed Amount", {"Currency": "USD", "DiscountAmount": 15}, "-15.00"),
        ("Discount-Fixed Amount", {"Currency": "USD", "DiscountAmount": 500}, "-100.00"),
    ],
)
def test_discounts_take_from_what_they_apply_to(
    zuora: Driver, app: StandIn, model: str, tier: dict[str, Any], amount: str
) -> None:
    flat_catalog(zuora)
    coupon = zuora.plan(zuora.product("coupon"), "coupon-plan")
    more = {"ApplyDiscountTo": "RECURRING", "DiscountLevel": "subscription"}
    zuora.charge(coupon, "off", [tier], ChargeModel=model, **more)
    zuora.account()
    assert zuora.order(create_action("sub-1", "basic-month", "coupon-plan")).status == 200
    january = ("2026-01-01", "2026-01-31")
    assert invoiced(app, "2026-01-01") == [("fee", *january, "100.00"), ("off", *january, amount)]


def test_a_percentage_is_taken_of_the_days_on_which_it_runs(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    coupon = zuora.plan(zuora.product("coupon"), "coupon-plan")
    tier = {"Currency": "USD", "DiscountPercentage": 31}
    more = {"ApplyDiscountTo": "RECURRING", "DiscountLevel": "subscription"}
    zuora.charge(coupon, "off", [tier], ChargeModel="Discount-Percentage", **more)
    zuora.account()
    zuora.subscribe("sub-1")
    for kind, member, day in (
        ("AddProduct", "addProduct", "2026-01-11"),
        ("RemoveProduct", "removeProduct", "2026-01-31"),
    ):
        action = {"type": kind, member: {"productRatePlanNumber": "coupon-plan"}}
        assert zuora.order(action, subscription="sub-1", day=day).status == 200
    assert invoiced(app, "2026-01-01")[1][3] == "-20.00"


def test_a_discount_on_usage_only_leaves_the_fee(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    coupon = zuora.plan(zuora.product("coupon"), "coupon-plan")
    tier = {"Currency": "USD", "DiscountPercentage": 50}
    zuora.charge(
        coupon, "off", [tier], ChargeModel="Discount-Percentage", ApplyDiscountTo="USAGE", DiscountLevel="subscription"
    )
    zuora.account()
    zuora.order(create_action("sub-1", "basic-month", "coupon-plan"))
    assert [line[0] for line in invoiced(app, "2026-01-01")] == ["fee"]


@pytest.fixture
def used(zuora: Driver) -> Driver:
    """Usage at 1 USD, three units at 1 USD and four at 10 USD from 11 January on, and 5 USD off each month."""
    usage_catalog(zuora)
    price = {"productRatePlanChargeNumber": "calls", "pricing": {"usagePerUnit": {"listPrice": 10}}}
    coupon = zuora.plan(zuora.product("coupon"), "coupon-plan")
    tier = {"Currency": "USD", "DiscountAmount": 5}
    more = {"ApplyDiscountTo": "USAGE", "DiscountLevel": "subscription"}
    zuora.charge(coupon, "off", [tier], ChargeModel="Discount-Fixed Amount", **more)
    for kind, member, day in (
        ("AddProduct", {"productRatePlanNumber": "coupon-plan"}, "2026-01-01"),
        ("UpdateProduct", {"productRatePlanNumber": "basic-month", "chargeUpdates": [price]}, "2026-01-11"),
    ):
        action = {"type": kind, kind[0].lower() + kind[1:]: member}
        assert zuora.order(action, subscription="sub-1", day=day).status == 200
    charge = zuora.charge_number("calls")
    for quantity, day in ((6, "2026-01-05"), (4, "2026-01-15")):
        zuora.made("/v1/object/usage", usage_body(charge, Quantity=quantity, StartDateTime=f"{day}T10:00:00+00:00"))
    return zuora


def of_usage(app: StandIn, day: str) -> list[tuple[str, str]]:
    return [(name, amount) for name, _, _, amount in invoiced(app, day) if name != "fee"]


def test_a_fixed_amount_is_taken_once_a_period_however_often_the_price_changes(used: Driver) -> None:
    lines = [("calls", "3.00"), ("calls", "40.00"), ("off", "-3.00"), ("off", "-2.00")]
    assert of_usage(used.app, "2026-02-01") == lines
    used.made("/v1/object/usage", usage_body(used.charge_number("calls"), Quantity=20))
    assert of_usage(used.app, "2026-02-01") == [("calls", "10.00")]


def test_what_is_cut_short_is_not_billed_again_nor_is_a_fixed_amount_taken_of_it(used: Driver) -> None:
    assert len(of_usage(used.app, "2026-02-01")) == 4
    member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-01-21"}
    action = {"type": "CancelSubscription", "cancelSubscription": member}
    assert used.order(action, subscription="sub-1").status == 200
    late = usage_body(used.charge_number("calls"), Quantity=1, StartDateTime="2026-01-15T10:00:00+00:00")
    used.made("/v1/object/usage", late)
    assert of_usage(used.app, "2026-02-01") == [("calls", "10.00")]
    assert of_usage(used.app, "2026-02-01") == []


def test_a_fixed_amount_goes_by_the_days_on_which_it_runs(used: Driver) -> None:
    action = {"type": "RemoveProduct", "removeProduct": {"productRatePlanNumber": "coupon-plan"}}
    assert used.order(action, subscription="sub-1", day="2026-01-08").status == 200
    assert of_usage(used.app, "2026-02-01") == [("calls", "3.00"), ("calls", "40.00"), ("off", "-1.13")]


def test_each_currency_has_its_own_price_and_invoice(zuora: Driver, app: StandIn) -> None:
    plan = zuora.plan(zuora.product(), ActiveCurrencies=["USD", "EUR", "JPY"])
    zuora.charge(plan, "fee", [usd(100), {"Currency": "EUR", "Price": 90}, {"Currency": "JPY", "Price": "1000.4"}])
    zuora.account()
    zuora.account("cust-2", currency="EUR")
    zuora.account("cust-3", currency="JPY")
    zuora.subscribe("sub-1")
    for account, number in (("cust-2", "sub-2"), ("cust-3", "sub-3")):
        assert zuora.order(create_action(number, "basic-month"), existingAccountNumber=account).status == 200
    app.control.bill_run(date(2026, 1, 1))
    amounts = [(one["Currency"], f"{one['Amount']}") for one in app.control.rows("Invoice")]
    assert amounts == [("USD", "100.00"), ("EUR", "90.00"), ("JPY", "1000")]


def test_a_plan_without_a_price_in_the_currency_is_refused(zuora: Driver) -> None:
    flat_catalog(zuora)
    zuora.account("cust-1", currency="EUR")
    assert zuora.order(create_action("sub-1", "basic-month")).codes == [58730030]


def test_a_pending_subscription_is_not_billed(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(require_service_activation=True)
    flat_catalog(zuora)
    zuora.account()
    dates = [{"name": "ContractEffective", "triggerDate": "2026-01-01"}]
    zuora.order(create_action("sub-1", "basic-month") | {"triggerDates": dates})
    assert invoiced(app, "2026-02-01") == []


def test_a_bill_run_over_http_drafts_posts_and_withdraws(zuora: Driver, app: StandIn) -> None:
    sell(zuora, "calls", [usd(1)], ChargeModel="Per Unit Pricing", ChargeType="Usage", UOM="calls")
    usage = zuora.made("/v1/object/usage", usage_body(zuora.charge_number("calls")))
    body = {"targetDate": "2026-02-01", "invoiceDate": "2026-02-01"}
    run = zuora.call("POST", "/v1/bill-runs", body).body["id"]
    assert zuora.get(f"/v1/bill-runs/{run}")["status"] == "Completed"
    assert zuora.get("/v1/accounts/cust-1")["metrics"]["balance"] == 0
    assert zuora.call("PUT", f"/v1/bill-runs/{run}/cancel", {}).body["status"] == "Canceled"
    assert (app.control.rows("Invoice"), zuora.get(f"/v1/object/usage/{usage}")["RbeStatus"]) == ([], "Pending")
    run = zuora.call("POST", "/v1/bill-runs", body).body["id"]
    zuora.get("/v1/catalog/products")
    assert zuora.call("PUT", f"/v1/bill-runs/{run}/post", {}).body["status"] == "Posted"
    number = app.control.rows("Invoice")[0]["InvoiceNumber"]
    invoice = zuora.get(f"/v1/invoices/{number}")
    assert (str(invoice["amount"]), str(invoice["balance"]), invoice["status"]) == ("10.00", "10.00", "Posted")
    items = zuora.get(f"/v1/invoices/{number}/items")["invoiceItems"]
    assert [(one["chargeName"], one["chargeAmount"], one["unitOfMeasure"]) for one in items] == [
        ("calls", "10.00", "calls")
    ]
    assert str(zuora.get("/v1/accounts/cust-1")["metrics"]["balance"]) == "10.00"


def test_a_billing_preview_tells_and_keeps_nothing(zuora: Driver, app: StandIn) -> None:
    flat_catalog(zuora)
    zuora.account()
    zuora.subscribe()
    body = {"accountNumber": "cust-1", "targetDate": "2026-02-01"}
    items = zuora.call("POST", "/v1/operations/billing-preview", body).body["invoiceItems"]
    assert [one["chargeAmount"] for one in items] == ["100.00", "100.00"]
    assert app.control.rows("Invoice") == []
