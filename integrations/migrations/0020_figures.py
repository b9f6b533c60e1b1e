"""Makes room for the pages' figures; where there are many rows, no page counts them before a worker has."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

_NAMES = ("standings", "problems", "backlog", "decisions", "links", "usage-problems", "usage-hours")
_MANY = 100_000
_LONG_MS = 1000


def leave_to_a_worker(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(reltuples) FROM pg_class WHERE oid IN "
            "('integrations_syncrecord'::regclass, 'integrations_syncjob'::regclass, 'integrations_usagerecord'::regclass)"
        )
        [(most,)] = cursor.fetchall()
    if most < _MANY:
        return
    now = django.utils.timezone.now()
    figures = apps.get_model("integrations", "Figure").objects
    for connection in apps.get_model("integrations", "Connection").objects.filter(removed_at=None):
        for name in _NAMES:
            figures.create(connection=connection, name=name, counted_at=now, took_ms=_LONG_MS, not_before=now)


class AddIndex(migrations.AddIndex):
    """Lets the table be written to while PostgreSQL builds the index."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("integrations", "0019_cause")]

    operations = [
        migrations.CreateModel(
            name="Figure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=20)),
                ("value", models.JSONField(null=True)),
                ("counted_at", models.DateTimeField()),
                ("took_ms", models.PositiveIntegerField()),
                ("not_before", models.DateTimeField(help_text="When it is to be counted again.")),
                ("connection", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="figures", to="integrations.connection")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("connection", "name"), name="figure_once")],
            },
        ),
        AddIndex(
            model_name="syncjob",
            index=models.Index(
                condition=models.Q(("state", "WAITING")), fields=["connection", "created_at"], name="job_waiting_long"
            ),
        ),
        migrations.RunPython(leave_to_a_worker, migrations.RunPython.noop),
    ]
