"""Lets the index of a feature's events hold what is added up of them."""

from django.db import migrations, models


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

    dependencies = [
        ('usage', '0010_sold_by_now'),
    ]

    operations = [
        AddIndex(
            model_name='usageevent',
            index=models.Index(condition=models.Q(('feature__isnull', False)), fields=['customer', 'feature', 'resource_id', 'occurred_at'], include=('value', 'update_behavior'), name='usage_event_counted'),
        ),
        migrations.RemoveIndex(
            model_name='usageevent',
            name='usage_event_of_feature',
        ),
    ]
