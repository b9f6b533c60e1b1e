import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

#: As Stigg's own server keys begin, so that secret scanners know ours too.
START = "server-"
_SHOWN = len(START) + 6
_RANDOM_BYTES = 32
#: How exactly it is known when a key was used last: writing it down for each request would cost more than it tells.
_COARSE = timedelta(minutes=10)


class Scope(models.TextChoices):
    """What a key may do."""

    READ = "READ", "Read only"
    WRITE = "WRITE", "Read and write"
    USAGE = "USAGE", "Report and read usage only"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> Self:
        return self.filter(revoked_at=None)

    def with_token(self, token: str) -> "ApiKey | None":
        """Return the usable key with this token, if there is one.

        It is looked for by the part that is no secret, and then compared in constant time.
        """
        found = None
        digest = digest_of(token)
        for key in self.usable().filter(prefix=token[:_SHOWN]):
            if secrets.compare_digest(key.digest, digest):
                found = key
        return found


class ApiKey(models.Model):
    """Lets an application in. The token itself is not kept: who has lost it makes another one."""

    name = models.CharField(max_length=255, help_text="Which application uses it, for example Checkout, production.")
    prefix = models.CharField(max_length=16, editable=False, db_index=True, help_text="How its token begins.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.WRITE)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def draw(cls, **fields: Any) -> tuple[Self, str]:
        """Return an unsaved key and its token, which nobody can find out later: 256 bits of chance."""
        token = START + secrets.token_urlsafe(_RANDOM_BYTES)
        return cls(prefix=token[:_SHOWN], digest=digest_of(token), **fields), token

    def mark_used(self, *, now: datetime) -> None:
        """Note that it was used, to ten minutes."""
        if self.last_used_at is not None and self.last_used_at > now - _COARSE:
            return
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _COARSE)
        ApiKey.objects.filter(stale, pk=self.pk).update(last_used_at=now)

    def mark_revoked(self, *, now: datetime) -> None:
        """Let nobody in by it any more."""
        self.revoked_at = now
        self.save(update_fields=["revoked_at"])


def digest_of(token: str) -> str:
    """Return what is kept of a token. It is random, so one round of SHA-256 is enough: there is nothing to guess."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


class ApiAnswer(models.Model):
    """What a request was answered, for the same request with the same `Idempotency-Key` within a day."""

    #: As long as Stigg keeps answers: https://docs.stigg.io/api-and-sdks/api-reference/rest/overview
    KEPT: ClassVar = timedelta(hours=24)

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    idempotency_key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=64, help_text="Of its method, path and body.")
    status = models.PositiveSmallIntegerField()
    body = models.TextField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="api_answer_once_per_key"),
        ]

    def __str__(self) -> str:
        return self.idempotency_key
