"""A small company, the people who look after it, and its tenant; all names are made up."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, User

from catalog.models import (
    Addon,
    BillingModel,
    BillingPeriod,
    Coupon,
    CouponType,
    Feature,
    MeterType,
    PackageStatus,
    Plan,
    Price,
    PriceAmount,
    PriceTier,
    PricingType,
    Product,
    TiersMode,
)
from customers.models import Customer
from integrations.models import Connection
from subscriptions.models import Subscription, SubscriptionAddon, SubscriptionQuantity, SubscriptionStatus

PASSWORD = "made-up-password-1"
STEPS = [
    {"name": "Host", "outcome": "passed", "saw": "https://rest.na.zuora.com answers.", "cure": ""},
    {"name": "Credentials", "outcome": "passed", "saw": "Zuora accepts the client ID and secret.", "cure": ""},
    {"name": "Tenant", "outcome": "passed", "saw": "Tenant 10042, user 7.", "cure": ""},
    {"name": "Reading", "outcome": "passed", "saw": "The catalog can be read.", "cure": ""},
    {"name": "Clock", "outcome": "passed", "saw": "This machine's clock agrees with Zuora's.", "cure": ""},
    {"name": "Object Query", "outcome": "passed", "saw": "Accounts can be looked up.", "cure": ""},
    {"name": "Time zone", "outcome": "passed", "saw": "UTC fits the times that Zuora writes.", "cure": ""},
    {"name": "Orders", "outcome": "passed", "saw": "Orders are enabled.", "cure": ""},
    {"name": "Writing", "outcome": "passed", "saw": "The API user may write.", "cure": ""},
    {
        "name": "Custom fields",
        "outcome": "warning",
        "saw": "Missing: Account: stiggCustomerId. The sync works without; these fields are left out.",
        "cure": "In Zuora, open Settings > Billing > Manage Custom Fields, and add these fields. Zuora adds the __c."
        " Then test the connection again.",
        "offer": "Account: stiggCustomerId, Text, length 255, indexed",
    },
    {"name": "Units of measure", "outcome": "passed", "saw": "9 can be read.", "cure": ""},
]


def people() -> dict[str, User]:
    """Return one user of each role."""
    made = {}
    for role in ("Viewer", "Operator", "Administrator"):
        user = User.objects.create_user(role.lower(), password=PASSWORD, is_staff=role != "Viewer")
        user.groups.add(Group.objects.get(name=role))
        made[role] = user
    return made


def connection(now: datetime, **values: Any) -> Connection:
    """Return a connection as the doctor leaves it."""
    return Connection.objects.create(
        **{
            "rest_url": "https://rest.na.zuora.com",
            "tenant_id": "10042",
            "client_id": "made-up-client",
            "client_secret": "made-up-secret",
            "key_prefix": "stigg",
            "connected_at": now - timedelta(days=12),
            "credentials_since": now - timedelta(days=12),
            "findings": {"custom_fields": {}, "settings_api": True, "steps": STEPS},
            **values,
        }
    )


@dataclass(frozen=True)
class Company:
    """What the scene's company has."""

    plans: list[Plan]
    addon: Addon
    coupon: Coupon
    customers: list[Customer]
    subscriptions: list[Subscription]


def company(now: datetime) -> Company:
    """Make the company's plans, customers and subscriptions."""
    plans, addon, coupon = _catalog()
    customers = _customers()
    return Company(plans, addon, coupon, customers, _subscriptions(now, customers, plans, addon, coupon))


def _catalog() -> tuple[list[Plan], Addon, Coupon]:
    product = Product.objects.create(ref_id="workbench", display_name="Workbench")
    seats = Feature.objects.create(
        ref_id="seats",
        display_name="Seats",
        meter_type=MeterType.FLUCTUATING,
        units_singular="seat",
        units_plural="seats",
    )
    calls = Feature.objects.create(
        ref_id="api-calls", display_name="API calls", meter_type=MeterType.INCREMENTAL, units_plural="calls"
    )
    sold = {"product": product, "status": PackageStatus.PUBLISHED}
    plans = [
        Plan.objects.create(ref_id="starter", display_name="Starter", pricing_type=PricingType.FREE, **sold),
        Plan.objects.create(
            ref_id="team",
            display_name="Team",
            pricing_type=PricingType.PAID,
            description="For teams that have outgrown Starter.",
            **sold,
        ),
        Plan.objects.create(ref_id="scale", display_name="Scale", pricing_type=PricingType.PAID, **sold),
        Plan.objects.create(
            ref_id="next-year", display_name="Next year", product=product, pricing_type=PricingType.PAID
        ),
    ]
    for period, amount in ((BillingPeriod.MONTHLY, "49"), (BillingPeriod.ANNUALLY, "490")):
        fee = Price.objects.create(plan=plans[1], billing_model=BillingModel.FLAT_FEE, billing_period=period)
        PriceAmount.objects.create(price=fee, currency="EUR", amount=Decimal(amount))
        PriceAmount.objects.create(price=fee, currency="USD", amount=Decimal(amount) + 6)
    per_seat = Price.objects.create(
        plan=plans[1], billing_model=BillingModel.PER_UNIT, billing_period=BillingPeriod.MONTHLY, feature=seats,
        tiers_mode=TiersMode.GRADUATED,
    )  # fmt: skip
    tiers = PriceAmount.objects.create(price=per_seat, currency="EUR")
    PriceTier.objects.create(price_amount=tiers, up_to=10, unit_price=Decimal(12))
    PriceTier.objects.create(price_amount=tiers, unit_price=Decimal("9.5"))
    usage = Price.objects.create(
        plan=plans[2], billing_model=BillingModel.USAGE_BASED, billing_period=BillingPeriod.MONTHLY, feature=calls
    )
    PriceAmount.objects.create(price=usage, currency="EUR", amount=Decimal("0.00035"))
    addon = Addon.objects.create(ref_id="sso", display_name="Single sign-on", pricing_type=PricingType.PAID, **sold)
    coupon = Coupon.objects.create(
        ref_id="spring", display_name="Spring", coupon_type=CouponType.PERCENTAGE, percent_off=20, duration_in_months=3
    )
    return plans, addon, coupon


def _customers() -> list[Customer]:
    names = ("Aurora Bakery", "Birch & Sons", "Cobalt Labs", "Delta Gardens", "Ember Studio")
    return [
        Customer.objects.create(
            ref_id=f"customer-{name.split()[0].lower()}",
            name=name,
            email=f"billing@{name.split()[0].lower()}.example",
            billing_currency="EUR",
            billing_country="DE",
            payment_method_id="" if name.startswith("Delta") else "made-up-payment-method",
        )
        for name in names
    ]


def _subscriptions(
    now: datetime, customers: list[Customer], plans: list[Plan], addon: Addon, coupon: Coupon
) -> list[Subscription]:
    seats = Feature.objects.get(ref_id="seats")
    made = [
        Subscription.objects.create(
            ref_id=f"subscription-{customer.ref_id.removeprefix('customer-')}",
            customer=customer,
            plan=plans[2] if number == 2 else plans[1],
            billing_period=BillingPeriod.MONTHLY,
            status=SubscriptionStatus.IN_TRIAL if number == 4 else SubscriptionStatus.ACTIVE,
            trial_end_date=now + timedelta(days=9) if number == 4 else None,
            start_date=now - timedelta(days=40 - number),
            coupon=coupon if number == 0 else None,
        )
        for number, customer in enumerate(customers)
    ]
    for one in made:
        SubscriptionQuantity.objects.create(subscription=one, feature=seats, quantity=12)
    SubscriptionAddon.objects.create(subscription=made[0], addon=addon, quantity=2)
    return made
