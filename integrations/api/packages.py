"""What plans and add-ons share: Stigg calls both packages, and edits, publishes and archives both the same way."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from django.db.models import QuerySet
from pydantic import Field

from catalog import publishing
from catalog.models import Addon, PackageStatus, Plan, PriceAmount, PricingType, Product, ProductStatus
from catalog.pricing import set_charges
from integrations.api.charges import ChargeOut, ChargeQuery, ChargesIn, charges_out, wished
from integrations.api.errors import bad_input, conflict
from integrations.api.finding import find
from integrations.api.paging import page
from integrations.api.schema import (
    ByCreation,
    CommaList,
    Input,
    LongText,
    Metadata,
    Name,
    Output,
    Page,
    RefId,
    SyncState,
    Text,
)
from integrations.api.sync_states import Standing
from integrations.api.writing import create, update

_Package = TypeVar("_Package", Plan, Addon)

RENAMED = {"id": "ref_id"}


class PackageIn(Input):
    """What a plan and an add-on begin with: each begins as a draft."""

    id: RefId
    display_name: Name
    product_id: Text
    description: LongText | None = None
    pricing_type: PricingType | None = Field(None, description="Can be given with the charges; needed to publish.")
    status: Literal["DRAFT"] = Field("DRAFT", description="Publish it to put it on sale.")
    billing_id: Text | None = Field(None, description="Links a product that Zuora has already.")
    metadata: Metadata | None = None


class PackageChange(Input):
    """What of a plan and an add-on can be changed; charges are those of the draft, all at once."""

    display_name: Name = Field(default_factory=str)
    description: LongText | None = None
    billing_id: Text | None = None
    metadata: Metadata | None = None
    charges: ChargesIn | None = None


class PublishIn(Input):
    """For whom; whichever it is, running subscriptions keep the prices that they were sold."""

    migration_type: Literal["NEW_CUSTOMERS", "ALL_CUSTOMERS"]


class Published(Output):
    """It is published when this is answered: there is no task to wait for."""

    task_id: None = None


class Removed(Output):
    """What was removed."""

    id: str


class EntitlementOut(Output):
    """There are none: entitlements are not kept here."""

    id: str
    type: Literal["FEATURE", "CREDIT"]


class PackageOut(Output):
    """What is told of a plan and of an add-on."""

    id: str
    product_id: str
    display_name: str
    description: str | None
    pricing_type: PricingType | None
    status: PackageStatus
    version_number: int
    is_latest: bool = Field(description="Whether there is no draft of a later version.")
    draft_version_number: int | None
    entitlements: list[EntitlementOut]
    metadata: dict[str, str]
    billing_id: str | None
    billing_link_url: str | None
    sync_states: tuple[SyncState, ...]
    created_at: datetime
    updated_at: datetime


class PackageQuery(ByCreation):
    """Which of them."""

    product_id: Text | None = None
    status: CommaList[PackageStatus] | None = None


def make(package: _Package, *, body: PackageIn) -> _Package:
    """Store a new draft."""
    product = find(Product.objects.all(), body.product_id)
    if product.status == ProductStatus.ARCHIVED:
        raise conflict("EntityIsArchivedError", f"The product {body.product_id!r} is archived: unarchive it first.")
    package.product = product
    return create(package, ref_id=body.id)


def change(package: _Package, *, body: PackageChange, changes: Mapping[str, Any]) -> _Package:
    """Change a package, and the charges of its draft."""
    publishing.lock(package)
    update(package, changes)
    if body.charges is not None:
        if publishing.drafted_version(package=package) is None:
            sentence = f"{package} is on sale and has no draft: create one, and set the charges of that."
            raise conflict("EditAllowedOnDraftPackageOnlyError", sentence)
        set_charges(package=package, pricing_type=body.charges.pricing_type, charges=wished(body.charges))
    return package


def find_addons(ref_ids: Iterable[str]) -> list[Addon]:
    """Return add-ons by their ids, each once.

    Raises:
        ApiError: one is not known.
    """
    return [find(Addon.objects.all(), ref_id) for ref_id in dict.fromkeys(ref_ids)]


def asked(rows: QuerySet[_Package], query: PackageQuery) -> QuerySet[_Package]:
    """Return the rows that a list asks for."""
    rows = rows.filter(**query.conditions())
    rows = rows.filter(product__ref_id=query.product_id) if query.product_id else rows
    return rows.filter(status__in=query.status) if query.status else rows


def charges_page(package: Plan | Addon, *, query: ChargeQuery) -> Page[ChargeOut]:
    """Return a page of the charges of one version."""
    version = query.version_number or package.version_number
    latest = publishing.drafted_version(package=package) or package.version_number
    if version > latest:
        raise bad_input(f"versionNumber: {package} has {latest} versions.")
    owner = {"price__plan": package} if isinstance(package, Plan) else {"price__addon": package}
    rows = PriceAmount.objects.filter(**owner, price__version_number=version)
    rows = rows.select_related("price__feature").prefetch_related("tiers")
    return page(rows, query=query, write=lambda amounts: charges_out(package, amounts))


def drafts(packages: Sequence[Plan] | Sequence[Addon]) -> dict[int, int | None]:
    """Return for each package the version of its draft, by its primary key; with prices prefetched, without a query."""
    return {package.pk: _draft(package) for package in packages}


def _draft(package: Plan | Addon) -> int | None:
    if package.status == PackageStatus.DRAFT:
        return package.version_number
    return max(
        (p.version_number for p in package.prices.all() if p.version_number > package.version_number), default=None
    )


def told(package: Plan | Addon, *, draft: int | None, standing: Standing, drafted: bool) -> dict[str, Any]:
    """Return what is told of a plan and of an add-on; `drafted`: of the draft, in place of what is on sale."""
    is_drafted = drafted and draft is not None
    return {
        "id": package.ref_id,
        "product_id": package.product.ref_id,
        "display_name": package.display_name,
        "description": package.description or None,
        "pricing_type": package.pricing_type or None,
        "status": PackageStatus.DRAFT if is_drafted else package.status,
        "version_number": draft if is_drafted else package.version_number,
        "is_latest": is_drafted or draft in {None, package.version_number},
        "draft_version_number": draft,
        "entitlements": [],
        "metadata": package.metadata,
        "billing_id": standing.billing_id,
        "billing_link_url": standing.billing_link_url,
        "sync_states": standing.states,
        "created_at": package.created_at,
        "updated_at": package.updated_at,
    }
