"""A product again under another id, to be changed and sold beside the first."""

from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Addon, PackageStatus, Plan, Product
from catalog.publishing import copy_price

_Package = TypeVar("_Package", Plan, Addon)


@transaction.atomic
def duplicate_product(*, product: Product, ref_id: str, display_name: str, description: str) -> Product:
    """Copy a product with the plans and add-ons that are not archived: as drafts, since nobody has asked to sell them.

    Their ids get the new product's behind them (`basic` becomes `basic-emea`); what links them to the billing system is
    not copied, because it belongs to one of them only.

    Raises:
        ValidationError: the id is taken, or not one.
    """
    copy = Product(
        ref_id=ref_id,
        display_name=display_name,
        description=description,
        multiple_subscriptions=product.multiple_subscriptions,
        metadata=product.metadata,
    )
    copy.full_clean()
    copy.save()
    addons = {addon.pk: _copied(addon, copy) for addon in product.addons.exclude(status=PackageStatus.ARCHIVED)}
    for plan in product.plans.exclude(status=PackageStatus.ARCHIVED).prefetch_related("compatible_addons"):
        compatible = [addons.get(addon.pk, addon) for addon in plan.compatible_addons.all()]
        _copied(plan, copy).compatible_addons.set(compatible)
    return copy


def _copied(package: _Package, product: Product) -> _Package:
    kind = type(package)
    own: dict[str, int | None] = {"max_quantity": package.max_quantity} if isinstance(package, Addon) else {}
    copy = kind(
        ref_id=f"{package.ref_id}-{product.ref_id}",
        product=product,
        display_name=package.display_name,
        description=package.description,
        pricing_type=package.pricing_type,
        metadata=package.metadata,
        **own,
    )
    try:
        copy.full_clean()
    except ValidationError as wrong:
        raise ValidationError(f"{package} cannot be copied to {copy.ref_id}: {' '.join(wrong.messages)}") from wrong
    copy.save()
    for price in package.prices.of_version(package.version_number):
        copy_price(price, version_number=copy.version_number, package=copy)
    return copy
