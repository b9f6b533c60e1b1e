"""How what is sold comes on sale and leaves it.

What is sold never changes: new prices are a draft, a version of their own, until they are published. Running
subscriptions keep the version that they were sold. Every verb on a package locks it, is atomic, refuses with a
ValidationError whose sentence says what to do instead, and saves row by row, so that whoever listens to saves hears it.
"""

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import (
    Addon,
    Coupon,
    CouponStatus,
    Feature,
    FeatureStatus,
    PackageStatus,
    Plan,
    Price,
    PricingType,
    Product,
    ProductStatus,
)
from catalog.validation import version_problems


def drafted_version(*, package: Plan | Addon) -> int | None:
    """Return the version whose prices can still change; None when there is no draft."""
    if package.status == PackageStatus.DRAFT:
        return package.version_number
    draft = package.version_number + 1
    return draft if package.prices.filter(version_number=draft).exists() else None


@transaction.atomic
def start_draft(*, package: Plan | Addon) -> int:
    """Copy the prices on sale to a draft, and return its version."""
    lock(package)
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived: unarchive it first.")
    if drafted_version(package=package) is not None:
        raise ValidationError(
            f"{package} has a draft already: change that one, then publish it.", code="DraftAlreadyExists"
        )
    if package.pricing_type != PricingType.PAID:
        raise ValidationError(f"{package} is {package.pricing_type} and has no prices to draft: change it as it is.")
    draft = package.version_number + 1
    for price in package.prices.of_version(package.version_number):
        copy_price(price, version_number=draft)
    return draft


@transaction.atomic
def remove_draft(*, package: Plan | Addon) -> None:
    """Forget the draft; one that was never on sale goes with it."""
    lock(package)
    draft = drafted_version(package=package)
    if draft is None:
        raise ValidationError(f"{package} has no draft to remove.")
    if not package.is_published:
        _refuse_orphans(package)
        package.delete()
        return
    for price in package.prices.filter(version_number=draft):
        price.delete()


@transaction.atomic
def publish(*, package: Plan | Addon) -> None:
    """Put the draft on sale."""
    lock(package)
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived: unarchive it first.")
    if package.product.status == ProductStatus.ARCHIVED:
        raise ValidationError(f"{package.product} is archived: unarchive the product first.")
    draft = drafted_version(package=package)
    if draft is None:
        raise ValidationError(
            f"{package} has no draft: what it is, is on sale. Start a draft to change its prices.",
            code="PackageAlreadyPublished",
        )
    if problems := version_problems(package=package, version_number=draft):
        raise ValidationError(problems)
    if isinstance(package, Plan) and package.parent and not package.parent.is_published:
        raise ValidationError(
            f"{package} inherits from {package.parent}, which is a draft: publish that first.",
            code="PlanCannotBePublishWhenBasePlanIsDraft",
        )
    package.status = PackageStatus.PUBLISHED
    package.version_number = draft
    package.save(update_fields=["status", "version_number"])


@transaction.atomic
def archive(*, package: Plan | Addon) -> None:
    """Take it off sale, for good or until it is unarchived; who has it keeps it."""
    lock(package)
    if package.status == PackageStatus.DRAFT:
        raise ValidationError(f"{package} was never on sale: delete it instead.")
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived already.")
    if isinstance(package, Plan) and (product := package.downgraded_products.first()):
        raise ValidationError(
            f"{package} is what customers of {product} fall back to: choose another plan for that first.",
            code="PlanIsUsedAsDowngradePlan",
        )
    _take_off_sale(package)


@transaction.atomic
def unarchive(*, package: Plan | Addon) -> None:
    """Put it back on sale, in the version that it was sold last."""
    lock(package)
    if package.status != PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is not archived.")
    if package.product.status == ProductStatus.ARCHIVED:
        raise ValidationError(f"{package.product} is archived: unarchive the product first.")
    package.status = PackageStatus.PUBLISHED
    package.save(update_fields=["status"])


@transaction.atomic
def archive_product(*, product: Product) -> None:
    """Take it off sale with all that is on sale of it; drafts stay drafts, which nobody can publish meanwhile."""
    _lock_product(product)
    if product.status == ProductStatus.ARCHIVED:
        raise ValidationError(f"{product} is archived already.")
    for packages in (product.plans, product.addons):
        for package in packages.filter(status=PackageStatus.PUBLISHED):
            lock(package)
            _take_off_sale(package)
    product.status = ProductStatus.ARCHIVED
    product.save(update_fields=["status"])


@transaction.atomic
def unarchive_product(*, product: Product) -> None:
    """Let it be sold again; its plans and add-ons stay archived until each is unarchived."""
    _lock_product(product)
    if product.status != ProductStatus.ARCHIVED:
        raise ValidationError(f"{product} is not archived.")
    product.status = ProductStatus.PUBLISHED
    product.save(update_fields=["status"])


@transaction.atomic
def archive_feature(*, feature: Feature) -> None:
    """Let nothing new be sold by it.

    Raises:
        ValidationError: it is archived already, or something that is on sale counts it, whose usage must be told.
    """
    if feature.status == FeatureStatus.SUSPENDED:
        raise ValidationError(f"{feature} is archived already.")
    sold = next((price for price in feature.prices.select_related("plan", "addon") if price.is_sold), None)
    if sold is not None:
        raise ValidationError(
            f"{feature} is counted by a charge of {sold.package}: whoever has that still has to report its usage."
        )
    feature.status = FeatureStatus.SUSPENDED
    feature.save(update_fields=["status"])


@transaction.atomic
def unarchive_feature(*, feature: Feature) -> None:
    """Let it be sold and used again."""
    if feature.status != FeatureStatus.SUSPENDED:
        raise ValidationError(f"{feature} is not archived.")
    feature.status = FeatureStatus.ACTIVE
    feature.save(update_fields=["status"])


def archive_coupon(*, coupon: Coupon) -> None:
    """Let nobody redeem it any more; who has it keeps it."""
    if coupon.status == CouponStatus.ARCHIVED:
        raise ValidationError(f"{coupon} is archived already.")
    coupon.status = CouponStatus.ARCHIVED
    coupon.save(update_fields=["status"])


def _take_off_sale(package: Plan | Addon) -> None:
    package.status = PackageStatus.ARCHIVED
    package.save(update_fields=["status"])


def _refuse_orphans(package: Plan | Addon) -> None:
    children = list(package.children.all()) if isinstance(package, Plan) else []
    if children:
        raise ValidationError(
            f"{package} is the parent of {', '.join(map(str, children))}: give that another parent first.",
            code="PlanWithChildCantBeDeleted",
        )


def _lock_product(product: Product) -> None:
    product.refresh_from_db(from_queryset=Product.objects.select_for_update())


def lock(package: Plan | Addon) -> None:
    """Read it anew, and let nobody else change it until the transaction ends."""
    if isinstance(package, Plan):
        package.refresh_from_db(from_queryset=Plan.objects.select_for_update())
    else:
        package.refresh_from_db(from_queryset=Addon.objects.select_for_update())


def copy_price(price: Price, *, version_number: int, package: Plan | Addon | None = None) -> None:
    """Save it again, with its amounts and tiers, as a price of another version, or of another plan or add-on."""
    # A row that is saved without a primary key is a new one; what hangs on it is read before it loses the old.
    amounts = [(amount, list(amount.tiers.all())) for amount in price.amounts.all()]
    price.pk = None
    if package is not None:
        price.plan = package if isinstance(package, Plan) else None
        price.addon = package if isinstance(package, Addon) else None
        price.billing_id = ""
    price.version_number = version_number
    price.save()
    for amount, tiers in amounts:
        amount.pk = None
        amount.price = price
        amount.save()
        for tier in tiers:
            tier.pk = None
            tier.price_amount = amount
            tier.save()
