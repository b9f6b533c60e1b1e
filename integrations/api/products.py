"""Products (https://docs.stigg.io/api-reference/products)."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field, model_validator

from catalog.duplicating import duplicate_product as duplicate
from catalog.models import CancellationTime, Plan, Product, ProductStatus
from catalog.publishing import archive_product as archive
from catalog.publishing import unarchive_product as unarchive
from integrations.api.errors import conflict, not_built
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.paging import page
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Data,
    Flag,
    Input,
    LongText,
    Metadata,
    Name,
    Output,
    Page,
    RefId,
    Text,
)
from integrations.api.writing import create, update, values
from subscriptions.products import change_multiple_subscriptions
from usage.checking import Reason

_TAG = "Products"
_RENAMED = {"id": "ref_id"}


class EndSetup(StrEnum):
    """What becomes of a customer whose subscription is cancelled, or whose trial runs out."""

    CANCEL_SUBSCRIPTION = "CANCEL_SUBSCRIPTION"
    DOWNGRADE_TO_FREE = "DOWNGRADE_TO_FREE"


class ProductIn(Input):
    """A product."""

    id: RefId
    display_name: Name
    description: LongText | None = None
    metadata: Metadata | None = None
    multiple_subscriptions: Flag = Field(
        default_factory=bool, description="Whether a customer may hold one subscription per resource."
    )


class ProductSettingsIn(Input):
    """How subscriptions to a product begin and end, where they do not say it themselves."""

    NOT_BUILT = {
        "subscriptionStartPlanId": "no subscription begins by itself here: provision it.",
        "prorateAtEndOfBillingPeriod": "whether the rest of a period is credited is a setting of the Zuora tenant.",
    }

    subscription_cancellation_time: CancellationTime
    subscription_end_setup: EndSetup
    subscription_start_setup: Literal["PLAN_SELECTION", "TRIAL_PERIOD", "FREE_PLAN"]
    downgrade_plan_id: Text | None = Field(None, description="For DOWNGRADE_TO_FREE: a free plan of the product.")

    @model_validator(mode="after")
    def _begins_by_selection(self) -> "ProductSettingsIn":
        if self.subscription_start_setup != "PLAN_SELECTION":
            raise not_built(
                f"subscriptionStartSetup {self.subscription_start_setup}: no subscription begins by itself here: "
                "provision it. A trial is the plan's default one (defaultTrialConfig)."
            )
        if (self.subscription_end_setup == EndSetup.DOWNGRADE_TO_FREE) != bool(self.downgrade_plan_id):
            raise ValueError("downgradePlanId goes with DOWNGRADE_TO_FREE, and that needs it")
        return self


class ProductChange(Input):
    """What of a product can be changed."""

    NOT_BUILT = {
        "usageResetCutoffRule": "usage is billed by the billing period, and counts from its start.",
    }

    display_name: Name = Field(default_factory=str)
    description: LongText | None = None
    metadata: Metadata | None = None
    multiple_subscriptions: Flag = Field(
        default_factory=bool, description="Stays as it is once something of the product was sold."
    )
    product_settings: ProductSettingsIn | None = None


class ProductCopy(Input):
    """What the copy is called."""

    target_id: RefId
    display_name: Name = Field(default_factory=str)
    description: LongText | None = None


class ProductSettingsOut(Output):
    """How subscriptions to a product begin and end, where they do not say it themselves."""

    subscription_cancellation_time: CancellationTime
    subscription_end_setup: EndSetup
    subscription_start_setup: Literal["PLAN_SELECTION"] = "PLAN_SELECTION"
    subscription_start_plan_id: None = None
    downgrade_plan_id: str | None
    prorate_at_end_of_billing_period: None = None


class ProductOut(Output):
    """A product."""

    id: str
    display_name: str
    description: str | None
    status: ProductStatus
    multiple_subscriptions: bool
    product_settings: ProductSettingsOut
    metadata: dict[str, str]
    created_at: datetime
    updated_at: datetime


class ProductQuery(ByCreation):
    """Which products."""

    id: Text | None = None
    status: CommaList[ProductStatus] | None = None


@operation("POST", "/api/v1/products", tag=_TAG, status=HTTPStatus.CREATED)
def create_product(_call: Call, *, body: ProductIn) -> Data[ProductOut]:
    """Make a product."""
    return _data(create(Product(**values(body, kind=Product, renamed=_RENAMED)), ref_id=body.id))


@operation("GET", "/api/v1/products", tag=_TAG)
def list_products(_call: Call, *, query: ProductQuery) -> Page[ProductOut]:
    """List products."""
    rows = Product.objects.filter(**query.conditions()).select_related("downgrade_plan")
    rows = rows.filter(ref_id=query.id) if query.id else rows
    rows = rows.filter(status__in=query.status) if query.status else rows
    return page(rows, query=query, write=_out)


@operation("PATCH", "/api/v1/products/{product_id}", tag=_TAG)
def update_product(_call: Call, *, body: ProductChange, product_id: str) -> Data[ProductOut]:
    """Change a product; metadata is replaced as a whole."""
    product = find(Product.objects.select_for_update(), product_id)
    changes = values(body, kind=Product, renamed={}, without=("product_settings",))
    if body.product_settings is not None:
        changes |= _settings(body.product_settings)
    if "multiple_subscriptions" in changes:
        change_multiple_subscriptions(product=product, allowed=changes.pop("multiple_subscriptions"))
    return _data(update(product, changes))


@operation("POST", "/api/v1/products/{product_id}/archive", tag=_TAG)
def archive_product(_call: Call, *, product_id: str) -> Data[ProductOut]:
    """Take a product off sale, with its plans and add-ons; who has them keeps them."""
    product = find(Product.objects.all(), product_id)
    archive(product=product)
    return _data(product)


@operation("POST", "/api/v1/products/{product_id}/unarchive", tag=_TAG)
def unarchive_product(_call: Call, *, product_id: str) -> Data[ProductOut]:
    """Let a product be sold again; its plans and add-ons stay archived."""
    product = find(Product.objects.all(), product_id)
    unarchive(product=product)
    return _data(product)


@operation("POST", "/api/v1/products/{product_id}/duplicate", tag=_TAG, status=HTTPStatus.CREATED)
def duplicate_product(_call: Call, *, body: ProductCopy, product_id: str) -> Data[ProductOut]:
    """Copy a product with its plans and add-ons.

    The copies are drafts, in the version on sale; their ids get the new product's behind them: `basic` becomes
    `basic-emea`.
    """
    product = find(Product.objects.all(), product_id)
    if Product.objects.filter(ref_id=body.target_id).exists():
        raise conflict(Reason.DUPLICATE, f"There is a product with the id {body.target_id!r} already: give another.")
    is_described = "description" in body.model_fields_set
    copy = duplicate(
        product=product,
        ref_id=body.target_id,
        display_name=body.display_name or product.display_name,
        description=(body.description or "") if is_described else product.description,
    )
    return _data(copy)


def _settings(given: ProductSettingsIn) -> dict[str, Any]:
    """Return settings as the fields of a product."""
    plan_id = given.downgrade_plan_id
    return {
        "cancellation_time": given.subscription_cancellation_time,
        "downgrade_plan": find(Plan.objects.all(), plan_id) if plan_id else None,
    }


def _data(product: Product) -> Data[ProductOut]:
    return Data(data=_out([product])[0])


def _out(products: Sequence[Product]) -> list[ProductOut]:
    return [
        ProductOut(
            id=product.ref_id,
            display_name=product.display_name,
            description=product.description or None,
            status=ProductStatus(product.status),
            multiple_subscriptions=product.multiple_subscriptions,
            product_settings=ProductSettingsOut(
                subscription_cancellation_time=CancellationTime(product.cancellation_time),
                subscription_end_setup=(
                    EndSetup.DOWNGRADE_TO_FREE if product.downgrade_plan else EndSetup.CANCEL_SUBSCRIPTION
                ),
                downgrade_plan_id=product.downgrade_plan.ref_id if product.downgrade_plan else None,
            ),
            metadata=product.metadata,
            created_at=product.created_at,
            updated_at=product.updated_at,
        )
        for product in products
    ]
