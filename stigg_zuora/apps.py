from importlib import import_module

from django.apps import AppConfig


class StiggZuoraConfig(AppConfig):
    name = "stigg_zuora"
    verbose_name = "stigg-zuora"

    def ready(self) -> None:
        # Checks register themselves when they are imported.
        import_module("stigg_zuora.checks")
