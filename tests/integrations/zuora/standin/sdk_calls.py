"""Calls of every operation that Zuora's own client and the stand-in have, a part of Zuora at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import (
    account_body,
    charge_body,
    create_action,
    trigger_dates,
    usage_body,
    usd,
)
from tests.integrations.zuora.standin.sdk import Sdk, in_standin, operations, zuora_sdk

if TYPE_CHECKING:
    from pathlib import Path


def one_of(name: str, body: dict[str, Any]) -> Any:
    """A request of the SDK that stands for one of many shapes, which no plain body can become."""
    return getattr(zuora_sdk(), name).model_construct(actual_instance=body)


DATES = {"EffectiveStartDate": "2020-01-01", "EffectiveEndDate": "2099-01-01"}
TIER = "product_rate_plan_charge_tiers_api"
CHARGE = "product_rate_plan_charges_api"


def catalog(sdk: Sdk) -> tuple[str, str, str, str]:
    """Products, plans, charges, tiers: made, changed, read; the ids of what stays."""
    unit = {"name": "calls", "displayAs": "Calls", "precision": 2, "roundingMode": "Up", "active": True}
    request = {"id": "1", "method": "POST", "url": "/units-of-measure", "body": unit}
    sdk.call("settings_api.post_process_settings_batch_request", {"requests": [request]})
    product = sdk.call("products_api.create_product", {"Name": "Basic", "SKU": "basic", **DATES})["Id"]
    sdk.call("products_api.update_product", product, {"Description": "Changed"})
    plan_body = {"Name": "Monthly", "ProductId": product, "ProductRatePlanNumber": "basic-month"}
    plan = sdk.call("product_rate_plans_api.create_product_rate_plan", plan_body)["Id"]
    sdk.call("product_rate_plans_api.update_product_rate_plan", plan, {"Description": "Changed"})
    fee = sdk.call(f"{CHARGE}.create_product_rate_plan_charge", charge_body(plan, "fee", [usd(100)]))["Id"]
    usage = charge_body(plan, "calls", [usd(0.5)], ChargeModel="Per Unit Pricing", ChargeType="Usage", UOM="calls")
    calls = sdk.call(f"{CHARGE}.create_product_rate_plan_charge", usage)["Id"]
    whole = charge_body(plan, "fee", [usd(100)], Description="Changed")
    whole.pop("ChargeType")
    sdk.call(f"{CHARGE}.update_product_rate_plan_charge", fee, whole)
    sdk.call(f"{CHARGE}.get_product_rate_plan_charge", fee)
    tier = sdk.app.control.rows("ProductRatePlanChargeTier")[0]["Id"]
    sdk.call(f"{TIER}.update_product_rate_plan_charge_tier", tier, {"Price": 120})
    sdk.call(f"{TIER}.get_product_rate_plan_charge_tier", tier)
    for operation, key in (
        ("products_api.get_product", product),
        ("product_rate_plans_api.get_product_rate_plan", plan),
        ("product_rate_plans_api.get_product_rate_plans_by_external_id", "none"),
        ("product_rate_plans_api.get_rate_plans_by_product", product),
    ):
        sdk.call(operation, key)
    sdk.call("products_api.get_products")
    # The SDK asks for XML here and cannot read it: what it says is its own refusal.
    with pytest.raises(zuora_sdk().exceptions.ApiException, match="Unsupported content type: text/xml"):
        sdk.call("describe_api.get_describe", "Product")
    sdk.covered.add("describe_api.get_describe")
    return product, plan, fee, calls


def unused_catalog(sdk: Sdk) -> None:
    product = sdk.call("products_api.create_product", {"Name": "Gone", **DATES})["Id"]
    plan = sdk.call("product_rate_plans_api.create_product_rate_plan", {"Name": "Gone", "ProductId": product})["Id"]
    charge = sdk.call(f"{CHARGE}.create_product_rate_plan_charge", charge_body(plan, "gone", [usd(1)]))["Id"]
    sdk.call(f"{CHARGE}.delete_product_rate_plan_charge", charge)
    sdk.call("product_rate_plans_api.delete_product_rate_plan", plan)
    sdk.call("products_api.delete_product", product)


def accounts(sdk: Sdk) -> str:
    account = sdk.call("accounts_api.create_account", account_body("cust-1"))["accountId"]
    sdk.call("accounts_api.update_account", "cust-1", {"name": "Renamed"})
    sdk.call("accounts_api.get_account", "cust-1")
    method = {"type": "CreditCardReferenceTransaction", "tokenId": "tok", "accountKey": "cust-1", "makeDefault": True}
    made, spare = (
        sdk.call("payment_methods_api.create_payment_method", one_of("CreatePaymentMethodRequest", body))["id"]
        for body in (method, method | {"makeDefault": False})
    )
    sdk.call("payment_methods_api.get_payment_method", made)
    sdk.call(
        "payment_methods_api.update_payment_method", made, one_of("UpdatePaymentMethodRequest", {"tokenId": "tok-2"})
    )
    sdk.call("payment_methods_api.delete_payment_method", spare)
    sdk.call("accounts_api.get_account_payment_methods", "cust-1")
    sdk.call("accounts_api.get_account_default_payment_method", "cust-1")
    contact = {"accountNumber": "cust-1", "firstName": "Other", "lastName": "One"}
    other = sdk.call("contacts_api.create_contact", contact)["id"]
    sdk.call("contacts_api.get_contact", other)
    sdk.call("contacts_api.update_contact", other, {"lastName": "Two"})
    sdk.call("contacts_api.delete_contact", other)
    sdk.call("accounts_api.create_account", account_body("cust-2"))
    job = sdk.call("accounts_api.delete_account", "cust-2")["jobId"]
    sdk.call("operations_api.get_operation_job", job)
    return str(account)


def order_body(action: dict[str, Any], number: str, *, subscription: str | None = None, **more: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {"orderActions": [{"triggerDates": trigger_dates("2026-01-01"), **action}]}
    if subscription:
        entry["subscriptionNumber"] = subscription
    return {
        "orderDate": "2026-01-01",
        "existingAccountNumber": "cust-1",
        "orderNumber": number,
        "subscriptions": [entry],
        **more,
    }


def orders(sdk: Sdk, fee: str) -> None:
    override = {"productRatePlanChargeId": fee, "pricing": {"recurringFlatFee": {"listPrice": 90}}}
    plans = [{"productRatePlanNumber": "basic-month", "chargeOverrides": [override]}]
    sdk.call(
        "orders_api.create_order",
        order_body(create_action("sub-1", subscribeToRatePlans=plans), "order-1"),
        return_ids=True,
    )
    sdk.call("orders_api.get_order", "order-1")
    for operation, key in (
        ("orders_api.get_orders_by_invoice_owner", "cust-1"),
        ("orders_api.get_orders_by_subscription_owner", "cust-1"),
        ("orders_api.get_orders_by_subscription_number", "sub-1"),
        ("orders_api.get_pending_orders_by_subscription_number", "sub-1"),
    ):
        sdk.call(operation, key)
    sdk.call("orders_api.get_orders")
    draft = order_body(create_action("sub-2", "basic-month"), "order-2", status="Draft")
    sdk.call("orders_api.create_order", draft)
    sdk.call("orders_api.update_order", "order-2", draft)
    sdk.call("orders_api.update_order_custom_fields", "order-2", {"customFields": {}})
    sdk.call("orders_api.activate_order", "order-2")
    sdk.call("orders_api.create_order", order_body(create_action("sub-3", "basic-month"), "order-3", status="Draft"))
    sdk.call("orders_api.cancel_order", "order-3")
    sdk.call("orders_api.create_order", order_body(create_action("sub-4", "basic-month"), "order-4"))
    sdk.call("orders_api.delete_order", "order-4")
    asynchronous(sdk)
    pending(sdk)


def asynchronous(sdk: Sdk) -> None:
    options = {
        "previewThruType": "SpecificDate",
        "specificPreviewThruDate": "2026-02-01",
        "previewTypes": ["BillingDocs", "ChargeMetrics"],
    }
    body = order_body(create_action("sub-5", "basic-month"), "order-5")
    preview = {**body, "previewOptions": options}
    sdk.call("orders_api.preview_order", preview)
    sdk.call("orders_api.preview_order_asynchronously", preview)
    job = sdk.call("orders_api.create_order_asynchronously", body)["jobId"]
    done = sdk.call("orders_api.get_job_status_and_response", job)
    assert (done["status"], done["result"]["orderNumber"]) == ("Completed", "order-5")
    sdk.call("orders_api.delete_order_asynchronously", "order-5")


def pending(sdk: Sdk) -> None:
    sdk.app.control.set_switches(require_service_activation=True)
    body = order_body(create_action("sub-6", "basic-month"), "order-6")
    body["subscriptions"][0]["orderActions"][0]["triggerDates"] = trigger_dates("2026-01-01")[:1]
    sdk.call("orders_api.create_order", body)
    given = [{"sequence": 0, "triggerDates": [{"name": "ServiceActivation", "triggerDate": "2026-01-02"}]}]
    dates = {"subscriptions": [{"subscriptionNumber": "sub-6", "orderActions": given}]}
    sdk.call("orders_api.update_order_trigger_dates", "order-6", dates)
    sdk.app.control.set_switches(require_service_activation=False)
    with pytest.raises(zuora_sdk().exceptions.ApiException):
        sdk.call("orders_api.revert_order", "order-6", {"orderDate": "2026-01-02"})
    sdk.covered.add("orders_api.revert_order")


def subscriptions(sdk: Sdk) -> None:
    api = "subscriptions_api"
    read = sdk.call(f"{api}.get_subscription_by_key", "sub-1")
    sdk.call(f"{api}.get_subscription_by_key_and_version", "sub-1", "1")
    sdk.call(f"{api}.get_subscriptions_by_account", "cust-1")
    sdk.call("rate_plans_api.get_rate_plan", read["ratePlans"][0]["id"])
    fields = {"customFields": {"stiggResourceId__c": "r-1"}}
    sdk.call("orders_api.update_subscription_custom_fields", "sub-1", fields)
    sdk.call(f"{api}.update_subscription_custom_fields_of_a_specified_version", "sub-1", "1", fields)
    sdk.call(f"{api}.get_metrics_by_subscription_numbers", ["sub-1"])
    sdk.call(f"{api}.renew_subscription", "sub-1", {})
    sdk.call(f"{api}.suspend_subscription", "sub-1", {"suspendPolicy": "Today"})
    sdk.call(f"{api}.resume_subscription", "sub-1", {"resumePolicy": "Today"})
    body = {"accountKey": "cust-1", "termType": "EVERGREEN", "contractEffectiveDate": "2026-01-01", "renewalTerm": 1}
    plans = [{"productRatePlanNumber": "basic-month"}]
    made = sdk.call(f"{api}.create_subscription", body | {"subscribeToRatePlans": plans})
    sdk.call(f"{api}.delete_subscription", made["subscriptionNumber"])


def usage(sdk: Sdk, directory: Path) -> None:
    charges = sdk.call("subscriptions_api.get_subscription_by_key", "sub-1")["ratePlans"][0]["ratePlanCharges"]
    number = next(one["number"] for one in charges if one["name"] == "calls")
    made = sdk.call("usage_api.create_usage", usage_body(number))["Id"]
    sdk.call("usage_api.get_usage", made)
    sdk.call("usage_api.update_usage", made, {"Quantity": 5})
    sdk.call("usage_api.get_usages_by_account", "cust-1")
    rows = (
        f"ACCOUNT_ID,UOM,QTY,STARTDATE,ENDDATE,SUBSCRIPTION_ID,CHARGE_ID\ncust-1,calls,1,01/02/2026,,sub-1,{number}\n"
    )
    file = directory / "usage.csv"
    file.write_text(rows)
    sdk.call("usage_api.upload_usage_file", str(file))
    imported = sdk.call("imports_api.object_post_import", str(file), "Usage", "usage")["Id"]
    sdk.call("imports_api.object_get_import", imported)
    objects = [usage_body(number, Description=f"slice-{index}") for index in range(3)]
    ids = [one["Id"] for one in sdk.call("actions_api.action_post_create", {"type": "Usage", "objects": objects})]
    sdk.call("actions_api.action_postupdate", {"type": "Usage", "objects": [{"Id": ids[0], "Quantity": 2}]})
    query = {"queryString": "select Id from Usage", "conf": {"batchSize": 1}}
    locator = sdk.call("actions_api.action_post_query", query)["queryLocator"]
    sdk.call("actions_api.action_postquery_more", {"queryLocator": locator})
    sdk.call("actions_api.action_post_delete", {"type": "Usage", "ids": ids})
    sdk.call("usage_api.delete_usage", made)


def billing(sdk: Sdk) -> None:
    sdk.call("operations_api.create_billing_preview", {"accountNumber": "cust-1", "targetDate": "2026-03-01"})
    run = sdk.call("bill_run_api.create_bill_run", {"targetDate": "2026-01-01", "invoiceDate": "2026-01-01"})["id"]
    sdk.call("bill_run_api.get_bill_run", run)
    sdk.call("bill_run_api.cancel_bill_run", run, {})
    sdk.call("bill_run_api.delete_bill_run", run)
    run = sdk.call("bill_run_api.create_bill_run", {"targetDate": "2026-02-01", "invoiceDate": "2026-02-01"})["id"]
    sdk.call("bill_run_api.get_bill_run", run)
    first = sdk.app.control.rows("Invoice")[0]["Id"]
    sdk.call("invoices_api.get_invoice", first)
    sdk.call("invoices_api.get_invoice_items", first)
    sdk.call("bill_run_api.post_bill_run", run, {})
    run = sdk.call("bill_run_api.create_bill_run", {"targetDate": "2026-03-01", "invoiceDate": "2026-03-01"})["id"]
    sdk.call("bill_run_api.get_bill_run", run)
    sdk.call("invoices_api.post_invoice", sdk.app.control.rows("Invoice")[-1]["Id"], {})
    sdk.call("bill_run_api.create_bill_run", {"targetDate": "2026-04-01", "invoiceDate": "2026-04-01"})
    sdk.call("bill_run_api.get_bill_run", run)
    sdk.call("invoices_api.delete_invoice", sdk.app.control.rows("Invoice")[-1]["Id"])
    sdk.call("operations_api.create_invoice_collect", {"accountKey": "cust-1", "invoiceTargetDate": "2026-05-01"})
    sdk.call("accounts_api.get_account_summary", "cust-1")
    cancel = {"cancellationPolicy": "EndOfLastInvoicePeriod", "orderDate": "2026-05-01"}
    sdk.call("subscriptions_api.cancel_subscription", "sub-2", cancel)


def events(sdk: Sdk) -> None:
    api = "custom_event_triggers_api"
    event = {"name": "AccountEdited", "displayName": "Account edited"}
    trigger = {"active": True, "baseObject": "Account", "condition": "changeType == 'UPDATE'", "eventType": event}
    made = sdk.call(f"{api}.post_event_trigger", trigger)["id"]
    sdk.call(f"{api}.put_event_trigger", made, {"description": "Changed"})
    sdk.call(f"{api}.get_event_trigger", made)
    sdk.call(f"{api}.get_event_triggers")
    base = {"name": "told", "eventTypeName": "AccountEdited", "calloutBaseurl": "https://receiver.example/x"}
    callout = base | {"httpMethod": "POST", "requiredAuth": False}
    definition = {"name": "told", "eventTypeName": "AccountEdited", "calloutActive": False, "callout": callout}
    told = sdk.call("notifications_api.create_notification_definition", definition)["id"]
    sdk.call("notifications_api.update_notification_definition", told, {"description": "Changed"})
    sdk.call("notifications_api.get_notification_definition", told)
    sdk.call("notifications_api.query_notification_definitions")
    sdk.call("notifications_api.get_callout_history")
    sdk.call("notifications_api.resend_callout_notifications", [])
    sdk.call("notifications_api.delete_notification_definition", told)
    sdk.call(f"{api}.delete_event_trigger", made)


def object_queries(sdk: Sdk) -> None:
    for operation, (_, path) in operations().items():
        if operation.startswith("object_queries_api.") and in_standin("GET", path) and "{key}" not in path:
            rows = sdk.call(operation)["data"]
            assert rows, operation
            by_key = next(name for name, (_, other) in operations().items() if other == f"{path}/{{key}}")
            sdk.call(by_key, rows[0]["id"])
