"""How a plan, an add-on or a coupon comes on sale and leaves it.

What is sold never changes: new prices are a draft, a version of their own, until they are published. Running
subscriptions keep the version that they were sold. Every verb on a package locks it, is atomic, refuses with a
ValidationError whose sentence says what to do instead, and saves row by row, so that whoever listens to saves hears it.
"""

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Addon, Coupon, CouponStatus, PackageStatus, Plan, Price, PricingType
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
    _lock(package)
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived: unarchive it first.")
    if drafted_version(package=package) is not None:
        raise ValidationError(f"{package} has a draft already: change that one, then publish it.")
    if package.pricing_type != PricingType.PAID:
        raise ValidationError(f"{package} is {package.pricing_type} and has no prices to draft: change it as it is.")
    draft = package.version_number + 1
    for price in package.prices.of_version(package.version_number):
        _copy(price, version_number=draft)
    return draft


@transaction.atomic
def publish(*, package: Plan | Addon) -> None:
    """Put the draft on sale."""
    _lock(package)
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived: unarchive it first.")
    draft = drafted_version(package=package)
    if draft is None:
        raise ValidationError(f"{package} has no draft: what it is, is on sale. Start a draft to change its prices.")
    if problems := version_problems(package=package, version_number=draft):
        raise ValidationError(problems)
    package.status = PackageStatus.PUBLISHED
    package.version_number = draft
    package.save(update_fields=["status", "version_number"])


@transaction.atomic
def archive(*, package: Plan | Addon) -> None:
    """Take it off sale, for good or until it is unarchived; who has it keeps it."""
    _lock(package)
    if package.status == PackageStatus.DRAFT:
        raise ValidationError(f"{package} was never on sale: delete it instead.")
    if package.status == PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is archived already.")
    package.status = PackageStatus.ARCHIVED
    package.save(update_fields=["status"])


@transaction.atomic
def unarchive(*, package: Plan | Addon) -> None:
    """Put it back on sale, in the version that it was sold last."""
    _lock(package)
    if package.status != PackageStatus.ARCHIVED:
        raise ValidationError(f"{package} is not archived.")
    package.status = PackageStatus.PUBLISHED
    package.save(update_fields=["status"])


def archive_coupon(*, coupon: Coupon) -> None:
    """Let nobody redeem it any more; who has it keeps it."""
    if coupon.status == CouponStatus.ARCHIVED:
        raise ValidationError(f"{coupon} is archived already.")
    coupon.status = CouponStatus.ARCHIVED
    coupon.save(update_fields=["status"])


def _lock(package: Plan | Addon) -> None:
    if isinstance(package, Plan):
        package.refresh_from_db(from_queryset=Plan.objects.select_for_update())
    else:
        package.refresh_from_db(from_queryset=Addon.objects.select_for_update())


def _copy(price: Price, *, version_number: int) -> None:
    # A row that is saved without a primary key is a new one; what hangs on it is read before it loses the old.
    amounts = [(amount, list(amount.tiers.all())) for amount in price.amounts.all()]
    price.pk = None
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
