from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integrations.zuora.standin.driver import Driver, create_action

if TYPE_CHECKING:
    from integrations.zuora.standin.app import StandIn


def test_a_draft_becomes_a_subscription_when_activated(sold: Driver) -> None:
    sold.order(create_action("sub-1", "basic-month"), orderNumber="order-1", status="Draft")
    assert sold.call("GET", "/v1/subscriptions/sub-1").status == 404
    reply = sold.call("PUT", "/v1/orders/order-1/activate", {})
    assert reply.body["subscriptions"] == [{"subscriptionNumber": "sub-1", "status": "Active"}]
    assert sold.call("PUT", "/v1/orders/order-1/activate", {}).codes == [58730030]
    assert sold.call("PUT", "/v1/orders/order-1/cancel", {}).codes == [58730030]


def test_a_draft_is_replaced_whole_and_cancelled(sold: Driver) -> None:
    sold.order(create_action("sub-1", "basic-month"), orderNumber="order-1", status="Draft", description="first")
    body = {"orderDate": "2026-02-01", "existingAccountNumber": "cust-1", "status": "Draft"}
    body["subscriptions"] = [{"orderActions": [create_action("sub-2", "basic-month")]}]  # type: ignore[assignment]
    assert sold.call("PUT", "/v1/orders/order-1", body).status == 200
    assert sold.get("/v1/orders/order-1")["order"]["description"] is None
    reply = sold.call("PUT", "/v1/orders/order-1/cancel", {"cancelReason": "changed"})
    assert (reply.body["status"], reply.body["cancelReason"]) == ("Cancelled", "changed")


def test_a_scheduled_order_runs_on_its_day(sold: Driver, app: StandIn) -> None:
    options = {"scheduledDatePolicy": "SpecificDate", "scheduledDate": "2026-03-10"}
    sold.order(
        create_action("sub-1", "basic-month"), status="Scheduled", schedulingOptions=options, orderNumber="order-1"
    )
    assert sold.call("GET", "/v1/subscriptions/sub-1").status == 404
    app.control.advance(days=9)
    sold.login()
    assert sold.call("GET", "/v1/subscriptions/sub-1").status == 200
    assert sold.get("/v1/orders/order-1")["order"]["status"] == "Completed"


def test_deleting_an_order_rolls_back_until_it_is_invoiced(sold: Driver, app: StandIn) -> None:
    sold.subscribe(orderNumber="order-1")
    sold.order({"type": "RenewSubscription"}, subscription="sub-1", orderNumber="order-2")
    assert sold.call("DELETE", "/v1/orders/order-1").status == 400
    assert sold.call("DELETE", "/v1/orders/order-2").body == {"success": True}
    read = sold.subscription()
    assert (read["version"], read["status"], read["termEndDate"]) == (1, "Active", "2027-01-01")
    app.control.bill_run(app.control.now().date())
    assert sold.call("DELETE", "/v1/orders/order-1").status == 400


def test_an_asynchronous_order_is_a_job_that_ends_well_or_says_why_in_a_text(sold: Driver, app: StandIn) -> None:
    app.control.set_switches(job_seconds=30.0)
    body = {"orderDate": "2026-01-01", "existingAccountNumber": "cust-1"}
    good = body | {"subscriptions": [{"orderActions": [create_action("sub-1", "basic-month")]}]}
    bad = body | {"subscriptions": [{"orderActions": [create_action("sub-2", "none")]}]}
    jobs = []
    for one in (good, bad):
        reply = sold.call("POST", "/v1/async/orders", one)
        assert (reply.status, set(reply.body)) == (202, {"jobId", "success"})
        jobs.append(reply.body["jobId"])
    assert [sold.get(f"/v1/async-jobs/{job}")["status"] for job in jobs] == ["Processing", "Processing"]
    app.control.advance(seconds=30)
    done, failed = [sold.get(f"/v1/async-jobs/{job}") for job in jobs]
    assert (done["status"], done["errors"]) == ("Completed", None)
    assert done["result"]["subscriptions"] == [{"subscriptionNumber": "sub-1", "status": "Active"}]
    assert (failed["status"], failed["success"]) == ("Failed", True)
    assert failed["errors"] == "[40000020]: The product rate plan 'none' does not exist."
    app.control.set_switches(async_errors="array")
    assert sold.get(f"/v1/async-jobs/{jobs[1]}")["errors"][0]["code"] == 40000020
    assert sold.call("PUT", "/v1/async/orders/x", {}).status == 405


def test_a_preview_tells_the_invoice_and_keeps_nothing(sold: Driver) -> None:
    options = {
        "previewThruType": "SpecificDate",
        "specificPreviewThruDate": "2026-02-01",
        "previewTypes": ["BillingDocs"],
    }
    body: dict[str, Any] = {"orderDate": "2026-01-01", "existingAccountNumber": "cust-1", "previewOptions": options}
    body["subscriptions"] = [{"orderActions": [create_action("sub-1", "basic-month")]}]
    reply = sold.call("POST", "/v1/orders/preview", body)
    assert [str(one["amount"]) for one in reply.body["previewResult"]["invoices"]] == ["220.00"]
    assert sold.app.control.rows("Subscription") == sold.app.control.rows("Order") == []
    options["previewThroughType"] = options.pop("previewThruType")
    assert sold.call("POST", "/v1/orders/preview", body).codes == [58740021]


def test_a_preview_for_nobody_yet_needs_an_account_made_up(sold: Driver) -> None:
    options = {"previewThruType": "TermEnd", "previewTypes": ["BillingDocs", "ChargeMetrics"]}
    body: dict[str, Any] = {"orderDate": "2026-01-01", "previewOptions": options}
    body["subscriptions"] = [{"orderActions": [create_action("", "basic-month", months=1)]}]
    assert sold.call("POST", "/v1/orders/preview", body).codes == [58740020]
    body["previewAccountInfo"] = {"currency": "USD", "billCycleDay": 1}
    assert str(sold.call("POST", "/v1/orders/preview", body).body["previewResult"]["invoices"][0]["amount"]) == "110.00"
    assert len(sold.app.control.rows("Account")) == 1


def test_without_the_orders_feature_there_are_no_orders(sold: Driver, app: StandIn) -> None:
    app.control.set_switches(orders=False)
    assert sold.order(create_action("sub-1", "basic-month")).status == 403


def test_billing_with_an_order_is_atomic_with_its_payment(sold: Driver, app: StandIn) -> None:
    options = {"runBilling": True, "collectPayment": True, "billingOptions": {"targetDate": "2026-01-01"}}
    assert sold.order(create_action("sub-1", "basic-month"), processingOptions=options).codes == [58730030]
    method = {"type": "CreditCardReferenceTransaction", "tokenId": "tok", "accountKey": "cust-1", "makeDefault": True}
    assert sold.call("POST", "/v1/payment-methods", method).status == 200
    app.control.set_switches(payments="decline")
    assert sold.order(create_action("sub-1", "basic-month"), processingOptions=options).codes == [58730099]
    assert app.control.rows("Subscription") == app.control.rows("Invoice") == []
    app.control.set_switches(payments="approve")
    reply = sold.order(create_action("sub-1", "basic-month"), processingOptions=options)
    invoice = app.control.rows("Invoice")[0]
    assert (reply.body["invoiceNumbers"], reply.body["paidAmount"]) == ([invoice["InvoiceNumber"]], "110.00")
    assert (invoice["Amount"], invoice["Balance"]) == (110, 0)


def test_custom_fields_of_a_subscription_change_without_a_version(sold: Driver) -> None:
    entry = {"orderActions": [create_action("sub-1", "basic-month")], "customFields": {"stiggResourceId__c": "r-1"}}
    assert sold.order({}, subscriptions=[entry]).status == 200
    assert sold.subscription()["stiggResourceId__c"] == "r-1"
    body = {"customFields": {"stiggResourceId__c": "r-2"}}
    assert sold.call("PUT", "/v1/subscriptions/sub-1/customFields", body).body == {"success": True}
    read = sold.subscription()
    assert (read["stiggResourceId__c"], read["version"]) == ("r-2", 1)
    wrong = {"customFields": {"unknown__c": "x"}}
    assert sold.call("PUT", "/v1/subscriptions/sub-1/customFields", wrong).codes == [53500021]


def test_the_older_cancel_is_refused_inside_an_invoiced_period(sold: Driver, app: StandIn) -> None:
    sold.subscribe()
    app.control.bill_run(app.control.now().date())
    body = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-03-15", "orderDate": "2026-03-01"}
    assert sold.call("PUT", "/v1/subscriptions/sub-1/cancel", body).codes == [53500020]
    assert sold.call("PUT", "/v1/subscriptions/sub-1/cancel", {"cancellationPolicy": "EndOfCurrentTerm"}).codes == [
        53500022
    ]
    reply = sold.call("PUT", "/v1/subscriptions/sub-1/cancel", body | {"cancellationEffectiveDate": "2026-04-01"})
    assert reply.body["cancelledDate"] == "2026-04-01"
