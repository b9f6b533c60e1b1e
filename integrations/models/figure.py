from django.db import models

from integrations.models.connection import Connection


class Figure(models.Model):
    """What a worker counted for the pages, and how long that took; the value is kept where counting it takes long.

    A value that takes long and is not there yet is being counted: no page does it.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="figures")
    name = models.CharField(max_length=20)
    value = models.JSONField(null=True)
    counted_at = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    not_before = models.DateTimeField(help_text="When it is to be counted again.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "name"], name="figure_once")]

    def __str__(self) -> str:
        return self.name
