from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from integrations.models import EncryptedField


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first of ENCRYPTION_KEYS. To rotate: put a new key in front, "
        "restart everything, run this, then remove the old key."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        count = 0
        for model in apps.get_models():
            secrets = [one.name for one in model._meta.concrete_fields if isinstance(one, EncryptedField)]  # noqa: SLF001
            for row in model._default_manager.all() if secrets else ():  # noqa: SLF001 - Django's public names
                row.save(update_fields=secrets)
                count += sum(1 for name in secrets if getattr(row, name))
        self.stdout.write(f"{count} secret{'' if count == 1 else 's'} encrypted with the first key.")
