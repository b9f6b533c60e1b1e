from importlib import import_module

from django.apps import AppConfig
from prometheus_client import REGISTRY


class StiggZuoraConfig(AppConfig):
    name = "stigg_zuora"
    verbose_name = "stigg-zuora"

    def ready(self) -> None:
        # Checks register themselves when they are imported; the collector imports models, which is possible only now.
        import_module("stigg_zuora.checks")
        REGISTRY.register(import_module("stigg_zuora.metrics").SyncCollector())
