from importlib import import_module

from django.apps import AppConfig


class SubscriptionsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "subscriptions"

    def ready(self) -> None:
        # What is to happen when a customer is archived registers itself when it is imported.
        import_module("subscriptions.archiving")
