from django.apps import AppConfig
from django.db.backends.signals import connection_created

from usage.adding import teach


class UsageConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "usage"

    def ready(self) -> None:
        connection_created.connect(teach, dispatch_uid="usage.adding")
