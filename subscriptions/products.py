"""What of a product is fixed by the subscriptions to it."""

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Product
from subscriptions.models import Subscription


@transaction.atomic
def change_multiple_subscriptions(*, product: Product, allowed: bool) -> None:
    """Say whether a customer may hold one subscription per resource; nothing happens when it is so already.

    Raises:
        ValidationError: there are subscriptions already, made under the other rule.
    """
    product.refresh_from_db(from_queryset=Product.objects.select_for_update())
    if product.multiple_subscriptions == allowed:
        return
    if Subscription.objects.filter(plan__product=product).exists():
        raise ValidationError(
            f"{product} has subscriptions: whether a customer holds one, or one per resource, cannot change any more."
        )
    product.multiple_subscriptions = allowed
    product.save(update_fields=["multiple_subscriptions"])
