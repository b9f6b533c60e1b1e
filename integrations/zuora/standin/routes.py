"""Every route of the stand-in: method, path, handler, and what the handler needs to know of the family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from integrations.zuora.standin import (
    account_views,
    accounts,
    actions,
    callout_history,
    catalog,
    catalog_views,
    charges,
    contacts,
    describe,
    events,
    jobs,
    object_query,
    payment_methods,
    subscription_changes,
    subscriptions,
    units,
    usage,
    usage_files,
)
from integrations.zuora.standin.billing import views as invoices
from integrations.zuora.standin.limits import DEFAULT, HIGH_VOLUME, OBJECT_QUERY
from integrations.zuora.standin.orders import background, intake, lifecycle, preview, views
from integrations.zuora.standin.tenant import Tenant
from integrations.zuora.standin.wire import Request

Handler = Callable[[Tenant, Request], Any]
Accounts = Callable[[Tenant, Request], list[str]]

# The six digits of v1 codes. Those of orders, subscriptions and reads are documented or seen; the rest are assumed.
ACCOUNTS, CONTACTS, PAYMENT_METHODS, USAGE, INVOICES = 511_000, 517_000, 596_000, 527_000, 531_000
ORDERS, ORDER_PREVIEW, SUBSCRIPTIONS, REVERT, READS = 587_300, 587_400, 535_000, 707_700, 500_000


@dataclass(frozen=True)
class Route:
    """One operation. `resource` are the six digits before the category in v1 codes."""

    method: str
    template: str
    handler: Handler
    resource: int = READS
    concurrency: str = DEFAULT
    accounts: Accounts | None = None
    writes: bool = True


@dataclass
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    names: dict[str, Route] = field(default_factory=dict)


def account_of_path(tenant: Tenant, request: Request) -> list[str]:
    key = request.params["key"]
    row = tenant.store.get("Account", key) or tenant.store.find("Account", "AccountNumber", key)
    return [row["Id"]] if row else []


def account_of_subscription(tenant: Tenant, request: Request) -> list[str]:
    key = request.params.get("number") or request.params.get("key", "")
    row = tenant.store.find("Subscription", "Latest", key) or tenant.store.get("Subscription", key)
    return [row["AccountId"]] if row else []


def account_of_order(tenant: Tenant, request: Request) -> list[str]:
    row = tenant.store.find("Order", "OrderNumber", request.params["number"])
    return [row["AccountId"]] if row else []


def _get(template: str, handler: Handler, **more: Any) -> Route:
    return Route("GET", template, handler, writes=False, **more)


ROUTES: list[Route] = [
    Route("POST", "/v1/object/product", catalog.create_product),
    _get("/v1/object/product/{id}", catalog.read_product),
    Route("PUT", "/v1/object/product/{id}", catalog.update_product),
    Route("DELETE", "/v1/object/product/{id}", catalog.delete_product),
    Route("POST", "/v1/object/product-rate-plan", catalog.create_rate_plan),
    _get("/v1/object/product-rate-plan/{id}", catalog.read_rate_plan),
    Route("PUT", "/v1/object/product-rate-plan/{id}", catalog.update_rate_plan),
    Route("DELETE", "/v1/object/product-rate-plan/{id}", catalog.delete_rate_plan),
    Route("POST", "/v1/object/product-rate-plan-charge", charges.create_charge),
    _get("/v1/object/product-rate-plan-charge/{id}", charges.read_charge),
    Route("PUT", "/v1/object/product-rate-plan-charge/{id}", charges.update_charge),
    Route("DELETE", "/v1/object/product-rate-plan-charge/{id}", charges.delete_charge),
    _get("/v1/object/product-rate-plan-charge-tier/{id}", charges.read_tier),
    Route("PUT", "/v1/object/product-rate-plan-charge-tier/{id}", charges.update_tier),
    _get("/v1/catalog/products", catalog_views.list_products),
    _get("/v1/catalog/products/{key}", catalog_views.read_product),
    _get("/v1/catalog/product/{key}", catalog_views.read_product),
    _get("/v1/rateplan/{key}/productRatePlan", catalog_views.plans_of_product),
    _get("/v1/product-rate-plans/{id}", catalog_views.read_plan),
    _get("/v1/product-rate-plans/external-id/{id}", catalog_views.plans_by_external_id),
    _get("/settings/units-of-measure", units.list_units),
    Route("POST", "/settings/units-of-measure", units.create_unit),
    _get("/settings/units-of-measure/{id}", units.read_unit),
    Route("PUT", "/settings/units-of-measure/{id}", units.update_unit),
    Route("POST", "/settings/batch-requests", units.batch),
    Route("POST", "/v1/accounts", accounts.create_account, ACCOUNTS, HIGH_VOLUME),
    _get("/v1/accounts/{key}", account_views.read_account),
    Route("PUT", "/v1/accounts/{key}", accounts.update_account, ACCOUNTS, accounts=account_of_path),
    Route("DELETE", "/v1/accounts/{key}", accounts.delete_account, READS, accounts=account_of_path),
    _get("/v1/accounts/{key}/summary", account_views.read_summary),
    _get("/v1/accounts/{key}/payment-methods", payment_methods.account_methods),
    _get("/v1/accounts/{key}/payment-methods/default", payment_methods.default_method),
    _get("/v1/operations/jobs/{id}", accounts.read_job),
    Route("POST", "/v1/contacts", contacts.create_contact, CONTACTS),
    _get("/v1/contacts/{id}", contacts.read_contact),
    Route("PUT", "/v1/contacts/{id}", contacts.update_contact, CONTACTS),
    Route("DELETE", "/v1/contacts/{id}", contacts.delete_contact),
    Route("POST", "/v1/payment-methods", payment_methods.create_payment_method, PAYMENT_METHODS),
    _get("/v1/payment-methods/{id}", payment_methods.read_payment_method),
    Route("PUT", "/v1/payment-methods/{id}", payment_methods.update_payment_method, PAYMENT_METHODS),
    Route("DELETE", "/v1/payment-methods/{id}", payment_methods.delete_payment_method),
    Route("POST", "/v1/orders", intake.create_order, ORDERS, HIGH_VOLUME, intake.account_ids),
    Route("POST", "/v1/orders/preview", preview.preview_order, ORDER_PREVIEW, HIGH_VOLUME),
    Route("PUT", "/v1/orders/{number}", lifecycle.update_order, ORDERS, accounts=account_of_order),
    Route("DELETE", "/v1/orders/{number}", lifecycle.delete_order, accounts=account_of_order),
    Route("PUT", "/v1/orders/{number}/activate", lifecycle.activate_order, ORDERS, accounts=account_of_order),
    Route("PUT", "/v1/orders/{number}/cancel", lifecycle.cancel_order, ORDERS, accounts=account_of_order),
    Route(
        "PUT",
        "/v1/orders/{number}/customFields",
        lifecycle.update_order_custom_fields,
        ORDERS,
        accounts=account_of_order,
    ),
    Route("PUT", "/v1/orders/{number}/triggerDates", lifecycle.update_trigger_dates, ORDERS, accounts=account_of_order),
    Route("POST", "/v1/orders/{number}/revert", lifecycle.revert_order, REVERT),
    Route("POST", "/v1/async/orders", background.create_async, ORDERS),
    Route("POST", "/v1/async/orders/preview", background.preview_async, ORDER_PREVIEW),
    Route("DELETE", "/v1/async/orders/{number}", background.delete_async, ORDERS),
    _get("/v1/orders", views.list_orders),
    _get("/v1/orders/{number}", views.read_order),
    _get("/v1/orders/invoiceOwner/{key}", views.orders_by_invoice_owner),
    _get("/v1/orders/subscriptionOwner/{key}", views.orders_by_owner),
    _get("/v1/orders/subscription/{number}", views.orders_by_subscription),
    _get("/v1/orders/subscription/{number}/pending", views.pending_orders),
    Route("POST", "/v1/subscriptions", subscription_changes.create, SUBSCRIPTIONS, HIGH_VOLUME),
    _get("/v1/subscriptions/subscription-metrics", subscription_changes.metrics),
    *(
        Route("PUT", f"/v1/subscriptions/{{key}}/{word}", handler, SUBSCRIPTIONS, HIGH_VOLUME, account_of_subscription)
        for word, handler in (
            ("cancel", subscription_changes.cancel),
            ("renew", subscription_changes.renew),
            ("suspend", subscription_changes.suspend),
            ("resume", subscription_changes.resume),
            ("delete", subscription_changes.delete),
        )
    ),
    _get("/v1/rateplans/{id}", subscription_changes.read_rate_plan),
    _get("/v1/subscriptions/accounts/{key}", subscriptions.list_by_account),
    _get("/v1/subscriptions/{key}", subscriptions.read_subscription),
    _get("/v1/subscriptions/{key}/versions/{version}", subscriptions.read_version),
    Route(
        "PUT",
        "/v1/subscriptions/{number}/customFields",
        subscriptions.update_custom_fields,
        SUBSCRIPTIONS,
        accounts=account_of_subscription,
    ),
    Route(
        "PUT",
        "/v1/subscriptions/{number}/versions/{version}/customFields",
        subscriptions.update_version_custom_fields,
        SUBSCRIPTIONS,
        accounts=account_of_subscription,
    ),
    Route("POST", "/v1/object/usage", usage.create_usage),
    _get("/v1/object/usage/{id}", usage.read_usage),
    Route("PUT", "/v1/object/usage/{id}", usage.update_usage),
    Route("DELETE", "/v1/object/usage/{id}", usage.delete_usage),
    _get("/v1/usage/accounts/{key}", usage.usage_of_account),
    Route("POST", "/v1/usage", usage_files.upload, USAGE),
    _get("/v1/usage/{id}/status", usage_files.read_status),
    Route("POST", "/v1/object/import", usage_files.create_import),
    _get("/v1/object/import/{id}", usage_files.read_import),
    Route("POST", "/v1/action/create", actions.create),
    Route("POST", "/v1/action/update", actions.update),
    Route("POST", "/v1/action/delete", actions.delete),
    Route("POST", "/v1/action/query", actions.query, writes=False),
    Route("POST", "/v1/action/queryMore", actions.query_more, writes=False),
    Route("POST", "/v1/bill-runs", invoices.create_bill_run, INVOICES),
    _get("/v1/bill-runs/{id}", invoices.read_bill_run),
    Route("PUT", "/v1/bill-runs/{id}/post", invoices.post_bill_run, INVOICES),
    Route("PUT", "/v1/bill-runs/{id}/cancel", invoices.cancel_bill_run, INVOICES),
    Route("DELETE", "/v1/bill-runs/{id}", invoices.delete_bill_run, INVOICES),
    _get("/v1/invoices/{key}", invoices.read_invoice),
    Route("DELETE", "/v1/invoices/{key}", invoices.delete_invoice, INVOICES),
    _get("/v1/invoices/{key}/items", invoices.read_items),
    Route("PUT", "/v1/invoices/{key}/post", invoices.post_invoice, INVOICES),
    Route("POST", "/v1/operations/invoice-collect", invoices.collect, INVOICES),
    Route("POST", "/v1/operations/billing-preview", invoices.preview_account, INVOICES),
    _get("/v1/async-jobs/{id}", jobs.read_async_job),
    _get("/events/event-triggers", events.list_triggers),
    Route("POST", "/events/event-triggers", events.create_trigger),
    _get("/events/event-triggers/{id}", events.read_trigger),
    Route("PUT", "/events/event-triggers/{id}", events.update_trigger),
    Route("DELETE", "/events/event-triggers/{id}", events.delete_trigger),
    _get("/notifications/notification-definitions", events.list_definitions),
    Route("POST", "/notifications/notification-definitions", events.create_definition),
    _get("/notifications/notification-definitions/{id}", events.read_definition),
    Route("PUT", "/notifications/notification-definitions/{id}", events.update_definition),
    Route("DELETE", "/notifications/notification-definitions/{id}", events.delete_definition),
    _get("/v1/notification-history/callout", callout_history.history),
    Route("POST", "/notifications/callout-histories/resend", callout_history.resend),
    _get("/v1/describe/{object}", describe.describe),
    _get("/object-query/{object}", object_query.list_objects, concurrency=OBJECT_QUERY),
    _get("/object-query/{object}/{key}", object_query.read_object, concurrency=OBJECT_QUERY),
]


def _built(routes: list[Route]) -> _Node:
    root = _Node()
    for route in routes:
        node = root
        for part in route.template.strip("/").split("/"):
            if part.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literal.setdefault(part, _Node())
        node.names[route.method] = route
    return root


TREE = _built(ROUTES)


def _found(node: _Node, parts: list[str], values: list[str]) -> tuple[_Node, list[str]] | None:
    if not parts:
        return (node, values) if node.names else None
    head, rest = parts[0], parts[1:]
    exact = node.literal.get(head)
    found = _found(exact, rest, values) if exact else None
    if found is None and node.any is not None and head:
        found = _found(node.any, rest, [*values, unquote(head)])
    return found


def match(method: str, path: str) -> tuple[Route | None, dict[str, str], frozenset[str]]:
    """The route, its named segments, and the methods that the path knows (none: no such path)."""
    found = _found(TREE, path.strip("/").split("/"), [])
    if found is None:
        return None, {}, frozenset()
    node, values = found
    route = node.names.get(method)
    if route is None:
        return None, {}, frozenset(node.names)
    names = [part[1:-1] for part in route.template.split("/") if part.startswith("{")]
    return route, dict(zip(names, values, strict=True)), frozenset(node.names)
