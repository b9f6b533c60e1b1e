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
    not copied, because it belongs to one of them only; nor is the plan that customers fall back to, because its copy is
    not on sale.

    Raises:
        ValidationError: the id is taken, or not one.
    """
    copy = Product(
        ref_id=ref_id,
        display_name=display_name,
        description=description,
        multiple_subscriptions=product.multiple_subscriptions,
        cancellation_time=product.cancellation_time,
        metadata=product.metadata,
    )
    copy.full_clean()
    copy.save()
    addons = list(product.addons.exclude(status=PackageStatus.ARCHIVED).prefetch_related("dependencies"))
    plans = list(product.plans.exclude(status=PackageStatus.ARCHIVED).prefetch_related("compatible_addons"))
    own_addons = {addon.pk: _copied(addon, copy) for addon in addons}
    own_plans = {plan.pk: _copied(plan, copy) for plan in plans}
    for addon in addons:
        own_addons[addon.pk].dependencies.set(own_addons.get(one.pk, one) for one in addon.dependencies.all())
    for plan in plans:
        own = own_plans[plan.pk]
        own.compatible_addons.set(own_addons.get(one.pk, one) for one in plan.compatible_addons.all())
        if plan.parent is not None:
            own.parent = own_plans.get(plan.parent.pk, plan.parent)
            own.save(update_fields=["parent"])
    return copy


def _copied(package: _Package, product: Product) -> _Package:
    kind = type(package)
    names = ("max_quantity",) if isinstance(package, Addon) else ("trial_duration", "trial_units", "trial_end_behavior")
    copy = kind(
        ref_id=f"{package.ref_id}-{product.ref_id}",
        product=product,
        display_name=package.display_name,
        description=package.description,
        pricing_type=package.pricing_type,
        metadata=package.metadata,
        **{name: getattr(package, name) for name in names},
    )
    try:
        copy.full_clean()
    except ValidationError as wrong:
        raise ValidationError(f"{package} cannot be copied to {copy.ref_id}: {' '.join(wrong.messages)}") from wrong
    copy.save()
    for price in package.prices.of_version(package.version_number):
        copy_price(price, version_number=copy.version_number, package=copy)
    return copy
