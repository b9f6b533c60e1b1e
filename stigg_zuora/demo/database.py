"""What the demo's database holds already."""

from django.contrib.auth.models import User

from stigg_zuora.demo import people
from subscriptions.models import Subscription


def is_loaded() -> bool:
    """Whether the data is there to its last row: what people changed since stays as it is."""
    return Subscription.objects.filter(ref_id=people.SUBSCRIPTIONS[-1].ref).exists()


def administrator(*, name: str, password: str) -> None:
    """Make the user who may do everything, unless there is one of that name."""
    if not User.objects.filter(username=name).exists():
        User.objects.create_superuser(name, password=password)
