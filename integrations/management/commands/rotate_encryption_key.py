from typing import Any

from django.core.management.base import BaseCommand

from integrations.models import Connection


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first of ENCRYPTION_KEYS. To rotate: put a new key in front, "
        "restart everything, run this, then remove the old key."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        count = 0
        for connection in Connection.objects.all():
            connection.save(update_fields=["client_secret"])
            count += 1
        self.stdout.write(f"{count} secret{'' if count == 1 else 's'} encrypted with the first key.")
