"""What Stigg's SDK can ask and we do not do: answered 501 with a sentence, never with a silent success."""

from integrations.api.operation import Operation, RateClass, scopes_of

_ENTITLEMENTS = "Entitlements are not kept here: they are checked by Stigg, and nothing of them is billed."
_CREDITS = "Credits are not kept here: Zuora is billed by charges and usage."
_GOVERNANCE = "Governance is not kept here: nothing of it is billed."
_CONTRACTS = "Contracts are not kept here: terms are metadata of a subscription (ZUORA__TermType and its kin)."
_EXPORT = "Data is not exported from here: read the lists of this API instead."
_OVERAGE = "Overage charges are not kept here: a charge by usage bills what was used."
_ESTIMATE = "Estimates are not made here: report the usage, and read the invoice in Zuora."
_INVOICES = "Invoices are Zuora's: read them there, the customer's billing link leads to them."
_SOON = "This is not built yet."

_SENTENCES: dict[str, tuple[str, ...]] = {
    _ENTITLEMENTS: (
        *(
            f"{method} /api/v1/{packages}/{{{one}_id}}/entitlements{rest}"
            for packages, one in (("plans", "plan"), ("addons", "addon"))
            for method, rest in (
                ("POST", ""),
                ("GET", ""),
                ("PATCH", "/{entitlement_id}"),
                ("DELETE", "/{entitlement_id}"),
            )
        ),
        "GET /api/v1/customers/{customer_id}/entitlements",
        "GET /api/v1/customers/{customer_id}/entitlements/check",
        "POST /api/v1/customers/{customer_id}/promotional-entitlements",
        "GET /api/v1/customers/{customer_id}/promotional-entitlements",
        "DELETE /api/v1/customers/{customer_id}/promotional-entitlements/{feature_id}",
        "GET /api/v1-beta/customers/{customer_id}/entitlements/check",
    ),
    _CREDITS: (
        "POST /api/v1/credits/consumption",
        "POST /api/v1/credits/consumption/async",
        "GET /api/v1/credits/auto-recharge",
        "GET /api/v1/credits/usage",
        "GET /api/v1/credits/ledger",
        "POST /api/v1/credits/custom-currencies",
        "GET /api/v1/credits/custom-currencies",
        "PATCH /api/v1/credits/custom-currencies/{currency_id}",
        "POST /api/v1/credits/custom-currencies/{currency_id}/archive",
        "POST /api/v1/credits/custom-currencies/{currency_id}/unarchive",
        "GET /api/v1/credits/custom-currencies/{currency_id}/associated-entities",
        "POST /api/v1/credits/grants",
        "GET /api/v1/credits/grants",
        "POST /api/v1/credits/grants/{grant_id}/void",
        "POST /api/v1/credits/reservations/{reservation_id}/release",
    ),
    _GOVERNANCE: (
        "GET /api/v1-beta/customers/{customer_id}/governance",
        "GET /api/v1-beta/customers/{customer_id}/assignments",
        "PUT /api/v1-beta/customers/{customer_id}/assignments",
        "GET /api/v1-beta/customers/{customer_id}/entities",
        "PUT /api/v1-beta/customers/{customer_id}/entities",
        "GET /api/v1-beta/customers/{customer_id}/entities/{entity_id}",
        "POST /api/v1-beta/customers/{customer_id}/entities/archive",
        "POST /api/v1-beta/customers/{customer_id}/entities/unarchive",
        "GET /api/v1-beta/entity-types",
        "PUT /api/v1-beta/entity-types",
    ),
    _CONTRACTS: (
        "POST /api/v1/contracts",
        "GET /api/v1/contracts",
        "GET /api/v1/contracts/{contract_id}",
        "PATCH /api/v1/contracts/{contract_id}",
        "POST /api/v1/contracts/{contract_id}/archive",
        "GET /api/v1/customers/{customer_id}/contracts",
    ),
    _EXPORT: (
        "GET /api/v1/data-export/models",
        "POST /api/v1/data-export/sync",
        "POST /api/v1/data-export/destinations",
        "PATCH /api/v1/data-export/destinations/{destination_id}",
        "DELETE /api/v1/data-export/destinations/{destination_id}",
    ),
    _OVERAGE: ("GET /api/v1/plans/{plan_id}/overage-charges",),
    _ESTIMATE: (
        "POST /api/v1/events/estimate",
        "POST /api/v1/usage/estimate",
    ),
    _INVOICES: ("GET /api/v1/customers/{customer_id}/invoices",),
    _SOON: (
        "POST /api/v1/customers",
        "GET /api/v1/customers",
        "GET /api/v1/customers/{customer_id}",
        "PATCH /api/v1/customers/{customer_id}",
        "POST /api/v1/customers/import",
        "POST /api/v1/customers/{customer_id}/archive",
        "POST /api/v1/customers/{customer_id}/unarchive",
        "GET /api/v1/customers/{customer_id}/resources",
        "POST /api/v1/customers/{customer_id}/payment-method",
        "DELETE /api/v1/customers/{customer_id}/payment-method",
        "GET /api/v1/customers/{customer_id}/integrations",
        "POST /api/v1/customers/{customer_id}/integrations",
        "GET /api/v1/customers/{customer_id}/integrations/{integration_id}",
        "PATCH /api/v1/customers/{customer_id}/integrations/{integration_id}",
        "DELETE /api/v1/customers/{customer_id}/integrations/{integration_id}",
        "POST /api/v1/subscriptions",
        "GET /api/v1/subscriptions",
        "GET /api/v1/subscriptions/{subscription_id}",
        "PATCH /api/v1/subscriptions/{subscription_id}",
        "POST /api/v1/subscriptions/import",
        "POST /api/v1/subscriptions/preview",
        "POST /api/v1/subscriptions/{subscription_id}/cancel",
        "POST /api/v1/subscriptions/{subscription_id}/delegate",
        "POST /api/v1/subscriptions/{subscription_id}/migrate",
        "POST /api/v1/subscriptions/{subscription_id}/transfer",
        "POST /api/v1/subscriptions/{subscription_id}/invoice/paid",
        "POST /api/v1/subscriptions/{subscription_id}/usage/charge",
        "DELETE /api/v1/subscriptions/{subscription_id}/future-update/pending-payment",
        "DELETE /api/v1/subscriptions/{subscription_id}/future-update/schedule",
        "GET /api/v1/products",
        "POST /api/v1/products",
        "PATCH /api/v1/products/{product_id}",
        "POST /api/v1/products/{product_id}/archive",
        "POST /api/v1/products/{product_id}/unarchive",
        "POST /api/v1/products/{product_id}/duplicate",
        "GET /api/v1/features",
        "POST /api/v1/features",
        "GET /api/v1/features/{feature_id}",
        "PATCH /api/v1/features/{feature_id}",
        "POST /api/v1/features/{feature_id}/archive",
        "POST /api/v1/features/{feature_id}/unarchive",
        "GET /api/v1/coupons",
        "POST /api/v1/coupons",
        "GET /api/v1/coupons/{coupon_id}",
        "PATCH /api/v1/coupons/{coupon_id}",
        "POST /api/v1/coupons/{coupon_id}/archive",
        *(
            f"{method} /api/v1/{packages}{rest}"
            for packages, one in (("plans", "{plan_id}"), ("addons", "{addon_id}"))
            for method, rest in (
                ("POST", ""),
                ("GET", ""),
                ("GET", f"/{one}"),
                ("PATCH", f"/{one}"),
                ("POST", f"/{one}/archive"),
                ("POST", f"/{one}/draft"),
                ("DELETE", f"/{one}/draft"),
                ("GET", f"/{one}/charges"),
                ("POST", f"/{one}/publish"),
            )
        ),
    ),
}


def _unbuilt(line: str, sentence: str) -> Operation:
    method, path = line.split()
    rate = RateClass.READ if method == "GET" else RateClass.WRITE
    return Operation(method=method, path=path, tag="Not here", rate=rate, scopes=scopes_of(method), not_built=sentence)


UNBUILT = tuple(_unbuilt(line, sentence) for sentence, lines in _SENTENCES.items() for line in lines)
