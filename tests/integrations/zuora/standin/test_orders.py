from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import Driver, create_action, trigger_dates, usd

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def segments(zuora: Driver, name: str, key: str = "sub-1") -> list[tuple[Any, ...]]:
    plans = zuora.subscription(key, charge_detail="all-segments")["ratePlans"]
    charges = [charge for plan in plans for charge in plan["ratePlanCharges"] if charge["name"] == name]
    return [(one["segment"], one["quantity"], one["effectiveStartDate"], one["effectiveEndDate"]) for one in charges]


def test_an_order_makes_a_subscription_with_all_its_charges(sold: Driver) -> None:
    reply = sold.order(create_action("sub-1", "basic-month"), orderNumber="order-1")
    assert reply.body == {
        "success": True,
        "orderNumber": "order-1",
        "accountNumber": "cust-1",
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": "sub-1", "status": "Active"}],
    }
    read = sold.subscription()
    assert (read["version"], read["status"], read["termEndDate"]) == (1, "Active", "2027-01-01")
    charges = read["ratePlans"][0]["ratePlanCharges"]
    assert [(one["name"], one["model"], str(one["price"]), one["quantity"]) for one in charges] == [
        ("fee", "FlatFee", "100", 1),
        ("seats", "PerUnit", "10", 1),
    ]


def test_the_list_of_subscriptions_depends_on_version_and_switch(sold: Driver, app: StandIn) -> None:
    sold.version = "211.0"
    assert sold.order(create_action("sub-1", "basic-month")).body["subscriptionNumbers"] == ["sub-1"]
    app.control.set_switches(order_subscriptions="subscriptions")
    reply = sold.order(create_action("sub-2", "basic-month"))
    assert reply.body["subscriptions"] == [{"subscriptionNumber": "sub-2", "status": "Active"}]


@pytest.mark.parametrize(
    ("change", "category"),
    [
        ({"orderDate": None}, 22),
        ({"existingAccountNumber": None}, 20),
        ({"existingAccountNumber": "nobody"}, 20),
        ({"newAccount": {"name": "x"}}, 22),
        ({"orderNumber": "a/b"}, 20),
        ({"subscriptions": []}, 22),
        ({"subscriptions": [{"orderActions": []}]}, 22),
        ({"subscriptions": [{"orderActions": [{"type": "Conquer"}]}]}, 20),
        ({"subscriptions": [{"orderActions": [{"type": "CreateSubscription"}]}]}, 22),
        ({"subscriptions": [{"orderActions": [create_action("s", "none")]}]}, 20),
        ({"subscriptions": [{"orderActions": [create_action("s") | {"addProduct": {}}]}]}, 20),
        ({"subscriptions": [{"subscriptionNumber": "no", "orderActions": [create_action("s")]}]}, 40),
        ({"subscriptions": [{"orderActions": [create_action("s")] * 51}]}, 30),
        ({"subscriptions": [{"orderActions": [create_action("s")]}, {"orderActions": [create_action("s")]}]}, 30),
        ({"colour": "red"}, 21),
    ],
)
def test_a_wrong_order_is_refused_and_nothing_is_kept(sold: Driver, change: dict[str, Any], category: int) -> None:
    reply = sold.order(create_action("sub-1", "basic-month"), **change)
    assert reply.codes[0] == 58730000 + category, reply.body
    assert sold.app.control.rows("Subscription") == sold.app.control.rows("Order") == []


def test_order_and_subscription_numbers_are_unique(sold: Driver) -> None:
    sold.subscribe("sub-1", orderNumber="order-1")
    assert sold.order(create_action("sub-2", "basic-month"), orderNumber="order-1").codes == [58730030]
    assert sold.order(create_action("sub-1", "basic-month"), orderNumber="order-2").codes == [58730030]
    assert sold.call("GET", "/v1/orders/order-2").status == 404


def test_an_expired_plan_is_refused_in_the_words_of_the_tenant(sold: Driver) -> None:
    plan = sold.app.control.rows("ProductRatePlan")[0]["Id"]
    sold.call("PUT", f"/v1/object/product-rate-plan/{plan}", {"EffectiveEndDate": "2026-01-01"})
    reply = sold.order(create_action("sub-1", "basic-month"))
    message = 'Rate plan "basic-month" is not effective on the contract effective date of 2026-01-01.'
    assert reply.body["reasons"] == [{"code": 58730020, "message": message}]


def test_overrides_set_quantity_and_price_of_this_subscription_only(sold: Driver) -> None:
    seats = sold.app.control.rows("ProductRatePlanCharge")[1]["Id"]
    override = {"productRatePlanChargeId": seats, "pricing": {"recurringPerUnit": {"quantity": 7, "listPrice": 8}}}
    plans = [{"productRatePlanNumber": "basic-month", "chargeOverrides": [override]}]
    assert sold.order(create_action("sub-1", subscribeToRatePlans=plans)).status == 200
    sold.subscribe("sub-2")
    read = [sold.subscription(key)["ratePlans"][0]["ratePlanCharges"][1] for key in ("sub-1", "sub-2")]
    assert [(one["quantity"], one["price"]) for one in read] == [(7, 8), (1, 10)]
    override["pricing"] = {"usagePerUnit": {"listPrice": 1}}
    assert sold.order(create_action("sub-3", subscribeToRatePlans=plans)).codes == [58730020]


def test_a_new_catalog_price_leaves_running_subscriptions_alone(sold: Driver) -> None:
    sold.subscribe("sub-1")
    tier = sold.app.control.rows("ProductRatePlanChargeTier")[0]["Id"]
    sold.call("PUT", f"/v1/object/product-rate-plan-charge-tier/{tier}", {"Price": 120})
    sold.subscribe("sub-2")
    fees = [sold.subscription(key)["ratePlans"][0]["ratePlanCharges"][0]["price"] for key in ("sub-1", "sub-2")]
    assert fees == [100, 120]


def test_every_change_makes_a_version_with_a_new_id_and_keeps_the_charge_number(sold: Driver) -> None:
    sold.subscribe()
    first = sold.subscription()
    number = sold.charge_number("seats")
    update = {"chargeNumber": number, "pricing": {"recurringPerUnit": {"quantity": 5}}}
    member = {"ratePlanId": first["ratePlans"][0]["id"], "chargeUpdates": [update]}
    reply = sold.order({"type": "UpdateProduct", "updateProduct": member}, subscription="sub-1", day="2026-02-01")
    assert reply.status == 200
    second = sold.subscription()
    assert (second["version"], second["id"] != first["id"], sold.charge_number("seats")) == (2, True, number)
    assert segments(sold, "seats") == [(1, 1, "2026-01-01", "2026-02-01"), (2, 5, "2026-02-01", "2027-01-01")]
    assert segments(sold, "fee") == [(1, 1, "2026-01-01", "2027-01-01")]
    old = sold.get("/v1/subscriptions/sub-1/versions/1")
    assert (old["id"], old["status"], old["isLatestVersion"]) == (first["id"], "Expired", False)
    # The rate plan's id of the first version still names it.
    assert (
        sold.order({"type": "UpdateProduct", "updateProduct": member}, subscription="sub-1", day="2026-03-01").status
        == 200
    )
    assert sold.subscription()["version"] == 3


def test_adding_and_removing_a_plan_touches_no_other(sold: Driver) -> None:
    extra = sold.plan(sold.product("extra"), "extra-month")
    sold.charge(extra, "extra-fee", [usd(30)])
    sold.subscribe()
    before = segments(sold, "fee")
    added = {"type": "AddProduct", "addProduct": {"productRatePlanNumber": "extra-month"}}
    assert sold.order(added, subscription="sub-1", day="2026-02-01").status == 200
    assert segments(sold, "extra-fee") == [(1, 1, "2026-02-01", "2027-01-01")]
    removed = {"type": "RemoveProduct", "removeProduct": {"productRatePlanNumber": "extra-month"}}
    assert sold.order(removed, subscription="sub-1", day="2026-03-01").status == 200
    assert segments(sold, "fee") == before
    assert [plan["ratePlanName"] for plan in sold.subscription()["ratePlans"]] == ["basic-month"]
    assert sold.order(removed, subscription="sub-1", day="2026-04-01").codes == [58730020]


@pytest.mark.parametrize(
    ("member", "end"),
    [
        ({"cancellationPolicy": "EndOfCurrentTerm"}, "2027-01-01"),
        ({"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-05-10"}, "2026-05-10"),
        ({"cancellationPolicy": "EndOfLastInvoicePeriod"}, "2026-01-01"),
    ],
)
def test_cancelling_ends_the_charges_by_policy(sold: Driver, member: dict[str, str], end: str) -> None:
    sold.subscribe()
    reply = sold.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1")
    assert reply.body["subscriptions"] == [{"subscriptionNumber": "sub-1", "status": "Cancelled"}]
    assert (sold.subscription()["subscriptionEndDate"], segments(sold, "fee")[0][3]) == (end, end)
    again = sold.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1")
    assert again.codes == [58730030]


@pytest.mark.parametrize("day", [None, "2025-12-31", "2027-01-02"])
def test_a_cancellation_date_lies_within_the_contract(sold: Driver, day: str | None) -> None:
    sold.subscribe()
    member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": day}
    assert sold.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription="sub-1").status == 400


def test_renewing_extends_term_and_charges(sold: Driver) -> None:
    sold.subscribe()
    assert sold.order({"type": "RenewSubscription"}, subscription="sub-1").status == 200
    read = sold.subscription()
    assert (read["termStartDate"], read["termEndDate"]) == ("2027-01-01", "2028-01-01")
    assert segments(sold, "fee") == [(1, 1, "2026-01-01", "2028-01-01")]


def test_suspending_stops_the_charges_and_resuming_goes_on(sold: Driver) -> None:
    sold.subscribe()
    pause = {"suspendPolicy": "SpecificDate", "suspendSpecificDate": "2026-02-01"}
    assert sold.order({"type": "Suspend", "suspend": pause}, subscription="sub-1").status == 200
    assert sold.subscription()["status"] == "Suspended"
    assert sold.order({"type": "RenewSubscription"}, subscription="sub-1").codes == [58730030]
    go_on = {"resumePolicy": "SpecificDate", "resumeSpecificDate": "2026-03-01", "extendsTerm": True}
    assert sold.order({"type": "Resume", "resume": go_on}, subscription="sub-1").status == 200
    assert segments(sold, "fee") == [(1, 1, "2026-01-01", "2026-02-01"), (2, 1, "2026-03-01", "2027-01-29")]


def test_a_plan_is_replaced_on_the_day(sold: Driver) -> None:
    other = sold.plan(sold.product("pro"), "pro-month")
    sold.charge(other, "pro-fee", [usd(300)])
    sold.subscribe()
    change = {"productRatePlanNumber": "basic-month", "newProductRatePlan": {"productRatePlanNumber": "pro-month"}}
    assert (
        sold.order({"type": "ChangePlan", "changePlan": change}, subscription="sub-1", day="2026-06-01").status == 200
    )
    assert [plan["ratePlanName"] for plan in sold.subscription()["ratePlans"]] == ["pro-month"]
    assert segments(sold, "pro-fee") == [(1, 1, "2026-06-01", "2027-01-01")]


def test_ownership_moves_to_an_account_of_the_same_currency(sold: Driver) -> None:
    sold.account("cust-2")
    sold.account("cust-3", currency="EUR")
    sold.subscribe()

    def move(to: str) -> int:
        action = {"type": "OwnerTransfer", "ownerTransfer": {"destinationAccountNumber": to}}
        return sold.order(action, subscription="sub-1").status

    assert (move("cust-3"), move("cust-2")) == (400, 200)
    assert sold.subscription()["accountNumber"] == "cust-2"
    assert [one["subscriptionNumber"] for one in sold.get("/v1/subscriptions/accounts/cust-2")["subscriptions"]] == [
        "sub-1"
    ]


def test_terms_change_without_touching_charges(sold: Driver) -> None:
    sold.subscribe()
    member = {"autoRenew": False, "renewalTerms": [{"period": 1, "periodType": "Year"}]}
    sold.order({"type": "TermsAndConditions", "termsAndConditions": member}, subscription="sub-1")
    read = sold.subscription()
    assert (read["autoRenew"], read["renewalTerm"], read["renewalTermPeriodType"]) == (False, 1, "Year")


def test_a_missing_trigger_date_makes_it_pending_until_it_is_given(sold: Driver, app: StandIn) -> None:
    app.control.set_switches(require_service_activation=True)
    dates = [{"name": "ContractEffective", "triggerDate": "2026-01-01"}]
    reply = sold.order(create_action("sub-1", "basic-month") | {"triggerDates": dates}, orderNumber="order-1")
    assert (reply.body["status"], reply.body["subscriptions"][0]["status"]) == ("Pending", "Pending Activation")
    given = [{"sequence": 0, "triggerDates": [{"name": "ServiceActivation", "triggerDate": "2026-01-15"}]}]
    body = {"subscriptions": [{"subscriptionNumber": "sub-1", "orderActions": given}]}
    reply = sold.call("PUT", "/v1/orders/order-1/triggerDates", body)
    assert reply.body["status"] == "Completed"
    read = sold.subscription()
    assert (read["status"], read["serviceActivationDate"], read["version"]) == ("Active", "2026-01-15", 1)


def test_a_new_account_comes_with_the_order_or_not_at_all(sold: Driver) -> None:
    contact = {"firstName": "Made", "lastName": "Up", "postalCode": "12345"}
    fresh = {"name": "New", "accountNumber": "cust-9", "currency": "USD", "billCycleDay": 1, "billToContact": contact}
    reply = sold.order(create_action("sub-9", "none"), existingAccountNumber=None, newAccount=fresh)
    assert (reply.status, sold.call("GET", "/v1/accounts/cust-9").status) == (400, 404)
    reply = sold.order(create_action("sub-9", "basic-month"), existingAccountNumber=None, newAccount=fresh)
    assert reply.body["accountNumber"] == "cust-9"
    assert sold.get("/v1/accounts/cust-9")["billToContact"]["zipCode"] == "12345"


def test_an_order_is_read_back_with_versions_and_actions(sold: Driver) -> None:
    sold.subscribe(orderNumber="order-1")
    order = sold.get("/v1/orders/order-1")["order"]
    entry = order["subscriptions"][0]
    assert (order["status"], entry["baseVersion"], entry["newVersion"]) == ("Completed", None, 1)
    assert [action["type"] for action in entry["orderActions"]] == ["CreateSubscription"]
    assert entry["orderActions"][0]["triggerDates"] == trigger_dates("2026-01-01")
    for path in ("", "/invoiceOwner/cust-1", "/subscriptionOwner/cust-1", "/subscription/sub-1"):
        assert [one["orderNumber"] for one in sold.get(f"/v1/orders{path}")["orders"]] == ["order-1"]
    assert sold.get("/v1/orders/subscription/sub-1/pending")["orders"] == []
