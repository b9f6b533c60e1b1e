"""What differs from tenant to tenant, and what the sources disagree about. Each is a switch of the control API."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

DEMO_CUSTOM_FIELDS = {
    "Product": ["stiggEntityUrl__c"],
    "Account": ["stiggEntityUrl__c", "stiggCustomerId__c"],
    "Subscription": ["stiggEntityUrl__c", "stiggCustomerId__c", "stiggResourceId__c"],
}
CHARGE_MODELS = [
    "Flat Fee Pricing",
    "Per Unit Pricing",
    "Tiered Pricing",
    "Volume Pricing",
    "Overage Pricing",
    "Discount-Fixed Amount",
    "Discount-Percentage",
]


class UnknownSwitchError(ValueError):
    """No such switch, or a value of another type."""


@dataclass(frozen=True)
class Switches:
    """A tenant's settings; the defaults are a well set-up demo tenant."""

    # The minor version of requests without a Zuora-Version header; without a tenant setting Zuora takes 186.0.
    api_version: str = "186.0"
    custom_fields: dict[str, list[str]] = field(
        default_factory=lambda: {k: list(v) for k, v in DEMO_CUSTOM_FIELDS.items()}
    )
    # Custom fields that Object Query may filter by.
    indexed_fields: list[str] = field(default_factory=lambda: ["stiggCustomerId__c"])
    currencies: list[str] = field(
        default_factory=lambda: ["USD", "EUR", "GBP", "CAD", "AUD", "JPY", "ILS", "CHF", "INR", "BRL"]
    )
    default_currency: str = "USD"
    charge_models: list[str] = field(default_factory=lambda: list(CHARGE_MODELS))
    time_zone: str = "UTC"
    locale: str = "en_US"
    account_number_prefix: str = "A"
    orders: bool = True
    settings_api: bool = True
    api_write: bool = True
    user_active: bool = True
    allow_blank_accounting_codes: bool = True
    require_service_activation: bool = False
    require_customer_acceptance: bool = False
    # Where the sources disagree.
    status_by_version: bool = True
    duplicate_category: int = 30
    unknown_v1_fields: str = "refuse"  # or "ignore"
    unknown_custom_fields: str = "ignore"  # of CRUD without rejectUnknownFields; or "refuse"
    discount_accounting_flag_required: bool = False
    charge_update: str = "whole"  # or "partial"
    same_key_other_body: str = "replay"  # or "refuse" (422)
    store_transient_failures: bool = True
    idempotent_put: str = "refuse"  # or "ignore"
    query_page_maximum: int = 99
    query_case_sensitive: bool = False
    query_lag_seconds: float = 0.0
    order_subscriptions: str = "by version"  # or "subscriptionNumbers", "subscriptions", "subscriptionNumber"
    async_errors: str = "string"  # or "array"
    usage_unique_key: bool = False
    # Whether a gateway takes the payments that orders ask for; or "decline".
    payments: str = "approve"
    # Whether callouts may go to http:// on loopback, which Zuora itself never does.
    plain_callouts: bool = True
    # With a secret, callouts carry an HMAC-SHA256 of their body in this header.
    callout_hmac_secret: str = ""
    callout_hmac_header: str = "X-Zuora-Signature"
    # Seconds of virtual time that background work takes before it is seen done.
    job_seconds: float = 0.0
    # Limits: per minute, hour and day; in flight for each class.
    rate_limits: list[int] = field(default_factory=lambda: [50_000, 2_250_000, 27_000_000])
    auth_rate_limits: list[int] = field(default_factory=lambda: [2_000, 67_500, 810_000])
    concurrency: dict[str, int] = field(
        default_factory=lambda: {"Default": 40, "High-volume transactions": 200, "Object Query": 80}
    )

    def changed(self, changes: dict[str, Any]) -> Switches:
        """A copy with these values.

        Raises:
            UnknownSwitchError: the name is unknown or the value has another type than the present one.
        """
        for name, value in changes.items():
            if name not in {one.name for one in fields(self)}:
                raise UnknownSwitchError(f"There is no switch '{name}'. Known: {', '.join(sorted(asdict(self)))}.")
            present = getattr(self, name)
            fits = isinstance(value, (int, float)) if isinstance(present, float) else type(value) is type(present)
            if not fits:
                raise UnknownSwitchError(f"Switch '{name}' takes a value of type {type(present).__name__}.")
        return replace(self, **changes)
