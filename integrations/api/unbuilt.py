"""What Stigg's SDK can ask and we do not do: answered 501 with a sentence, never with a silent success."""

from integrations.api.operation import Operation, RateClass, scopes_of

_ENTITLEMENTS = "Entitlements are not kept here: they are checked by Stigg, and nothing of them is billed."
_CREDITS = "Credits are not kept here: Zuora is billed by charges and usage."
_GOVERNANCE = "Governance is not kept here: nothing of it is billed."
_CONTRACTS = "Contracts are not kept here: terms are metadata of a subscription (ZUORA__TermType and its kin)."
_EXPORT = "Data is not exported from here: read the lists of this API instead."
_OVERAGE = "Overage charges are not kept here: a charge by usage bills what was used."
_INVOICES = "Invoices are Zuora's: read them there, the customer's billing link leads to them."
_PREVIEW = "Prices are not previewed here: Zuora computes them, its taxes and its prorations."
_CHARGING = "Usage is not charged from here: sync it, and let Zuora's bill run charge it."

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
        "POST /api/v1/events/estimate",
        "POST /api/v1/usage/estimate",
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
    _PREVIEW: ("POST /api/v1/subscriptions/preview",),
    _CHARGING: ("POST /api/v1/subscriptions/{subscription_id}/usage/charge",),
    _INVOICES: ("GET /api/v1/customers/{customer_id}/invoices",),
}


def _unbuilt(line: str, sentence: str) -> Operation:
    method, path = line.split()
    rate = RateClass.READ if method == "GET" else RateClass.WRITE
    return Operation(method=method, path=path, tag="Not here", rate=rate, scopes=scopes_of(method), not_built=sentence)


UNBUILT = tuple(_unbuilt(line, sentence) for sentence, lines in _SENTENCES.items() for line in lines)
