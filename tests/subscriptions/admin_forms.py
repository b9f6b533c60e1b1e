"""Forms of subscriptions in Django admin."""

from typing import Any

from django.test import Client

from subscriptions.models import Subscription
from tests.admin_pages import post, url


def change(client: Client, row: Subscription, **changes: Any) -> Any:
    return post(client, url("subscriptions_subscription", "change", row.pk), **changes)
