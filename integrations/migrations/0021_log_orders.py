"""The logs in their own order, by what their pages go on from: the moment and the number."""

from importlib import import_module

from django.db import migrations, models


class AddIndex(migrations.AddIndex):
    """Lets the table be written to while PostgreSQL builds the index."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)


def _protect_again(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        protection = import_module("integrations.migrations.0005_append_only_audit")
        protection.make_triggers(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('integrations', '0020_figures'),
    ]

    operations = [
        AddIndex(model_name='auditentry', index=models.Index(fields=['at', 'id'], name='audit_in_order')),
        # What was done to a subject last is on its page.
        AddIndex(model_name='auditentry', index=models.Index(fields=['subject', 'at', 'id'], name='audit_by_subject')),
        AddIndex(model_name='request', index=models.Index(fields=['started_at', 'id'], name='request_in_order')),
        # Their own indexes begin with the same moment.
        migrations.AlterField(model_name='auditentry', name='at', field=models.DateTimeField()),
        migrations.AlterField(model_name='request', name='started_at', field=models.DateTimeField()),
        # SQLite makes a table anew to alter it, and loses its triggers.
        migrations.RunPython(_protect_again, migrations.RunPython.noop),
    ]
