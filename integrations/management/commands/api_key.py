"""`manage.py api_key create|list|revoke`: the keys by which applications come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations import api_keys
from integrations.models import ApiKey, Scope
from integrations.operating import Impossible

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Make, list and revoke the keys by which applications use the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="create | list | revoke")
        create = actions.add_parser("create", help="make a key; its token is printed this once, alone on its line")
        create.add_argument("name", help="which application uses it")
        create.add_argument("--scope", choices=Scope.values, default=Scope.WRITE, help="what it may do (WRITE)")
        actions.add_parser("list", help="all keys, the newest first")
        revoke = actions.add_parser("revoke", help="let nobody in by a key any more")
        revoke.add_argument("key", help="how the key begins, as `list` shows it, or its whole token")

    def handle(self, *, action: str, **options: Any) -> None:
        """Do it.

        Raises:
            CommandError: there is no such key, or more than one, or it is revoked already.
        """
        match action:
            case "create":
                self._create(options["name"], Scope(options["scope"]))
            case "list":
                self._list()
            case "revoke":
                self._revoke(options["key"])

    def _create(self, name: str, scope: Scope) -> None:
        try:
            key, token = api_keys.create(name=name, scope=scope, actor=None, now=timezone.now())
        except ValidationError as wrong:
            raise CommandError("; ".join(wrong.messages)) from wrong
        self.stderr.write(f"Made {key}. Its token is shown this once:")
        self.stdout.write(token)

    def _list(self) -> None:
        for key in ApiKey.objects.all():
            used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else used
            self.stdout.write(f"{key.prefix}  {key.scope:<5}  made {key.created_at:%Y-%m-%d}  {state}  {key.name}")

    def _revoke(self, begins: str) -> None:
        found = [key for key in ApiKey.objects.all() if begins.startswith(key.prefix)]
        exact = ApiKey.objects.with_token(begins)
        found = [exact] if exact else found
        if len(found) != 1:
            how_many = "No key begins" if not found else f"{len(found)} keys begin"
            raise CommandError(f"{how_many} with {begins[:13]}: see `api_key list`, or give the whole token.")
        try:
            api_keys.revoke(key=found[0], actor=None, now=timezone.now())
        except Impossible as answer:
            raise CommandError(str(answer)) from answer
        self.stdout.write(f"Revoked {found[0]}.")
