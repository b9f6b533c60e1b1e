from django.db import models

from integrations.models.kinds import EntityKind


class Unasked(models.Model):
    """A customer or subscription without a record in the tenant in use, or anywhere while none is: nobody asked for it.

    Triggers on PostgreSQL keep it, so that the few of a million are found by an index however their rows came to be.
    On SQLite, which is for few, the table stays empty, and each row is looked at.
    """

    kind = models.CharField(max_length=14, choices=EntityKind)
    root_id = models.BigIntegerField()
    ref_id = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "root_id"], name="unasked_once")]
        indexes = [models.Index(fields=["kind", "ref_id"], name="unasked_in_order")]

    def __str__(self) -> str:
        return f"{self.kind}:{self.ref_id}"
