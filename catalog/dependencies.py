"""Which add-ons need each other."""

from collections.abc import Collection

from django.core.exceptions import ValidationError

from catalog.models import Addon


def set_dependencies(*, addon: Addon, dependencies: Collection[Addon]) -> None:
    """Say which add-ons a subscription must hold to hold this one; these take the place of those that were said.

    Running subscriptions stay as they are, until their add-ons change.

    Raises:
        ValidationError: it would need itself.
    """
    refuse_self(addon=addon, dependencies=dependencies)
    addon.dependencies.set(dependencies)


def refuse_self(*, addon: Addon, dependencies: Collection[Addon]) -> None:
    """Raise ValidationError where an add-on would need itself."""
    if addon in dependencies:
        raise ValidationError(f"{addon} cannot need itself: leave it out of its dependencies.")


def dependency_problems(*, held: Collection[Addon]) -> list[str]:
    """Return a sentence for each add-on that some of those held need, and that is not held; reads `dependencies`."""
    return [
        f"{addon} is sold only with {needed}: add {needed}, or leave {addon} out."
        for addon in held
        for needed in addon.dependencies.all()
        if needed not in held
    ]
