from importlib import import_module

from django.apps import AppConfig


class IntegrationsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "integrations"

    def ready(self) -> None:
        # Receivers and system checks register themselves when they are imported.
        import_module("integrations.receivers")
