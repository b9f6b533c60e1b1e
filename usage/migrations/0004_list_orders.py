"""Finds the slices that wait, in the order of their list."""

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
        ('catalog', '0002_dates'),
        ('subscriptions', '0004_search'),
        ('usage', '0003_set_index'),
    ]

    operations = [
        AddIndex(
            model_name='slice',
            index=models.Index(condition=models.Q(('revision__gt', models.F('taken_revision')), ('quantity__gt', 0)), fields=['starts_at', 'id'], name='slice_waiting'),
        ),
    ]
