"""The orders and filters of the lists of usage, requests and the audit log, each along an index."""

import django.db.models.expressions
from django.conf import settings
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
        ('integrations', '0016_unasked'),
        ('usage', '0003_set_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        AddIndex(
            model_name='syncjob',
            index=models.Index(condition=models.Q(('state', 'FAILED')), fields=['connection', 'id'], name='job_failed'),
        ),
        AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['action', 'at', 'id'], name='audit_by_action'),
        ),
        AddIndex(
            model_name='auditentry',
            index=models.Index(fields=['actor_name', 'at', 'id'], name='audit_by_actor'),
        ),
        AddIndex(
            model_name='request',
            index=models.Index(condition=models.Q(('zuora_request_id', ''), _negated=True), fields=['zuora_request_id'], name='request_zuora_id'),
        ),
        AddIndex(
            model_name='request',
            index=models.Index(condition=models.Q(('error', ''), _negated=True), fields=['started_at', 'id'], name='request_failed'),
        ),
        AddIndex(
            model_name='request',
            index=models.Index(django.db.models.expressions.CombinedExpression(models.F('status'), '/', models.Value(100)), models.F('started_at'), models.F('id'), name='request_by_answer'),
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(fields=['connection', 'starts_at', 'id', 'state'], name='usage_record_in_order'),
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('state', 'CONFIRMED'), _negated=True), fields=['connection', 'state', 'starts_at', 'id'], name='usage_record_unconfirmed'),
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('is_billed', True)), fields=['connection', 'starts_at', 'id'], name='usage_record_billed'),
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(condition=models.Q(('slice', None)), fields=['connection', 'starts_at', 'id'], name='usage_record_correction'),
        ),
        AddIndex(
            model_name='usagerecord',
            index=models.Index(fields=['charge_number', 'starts_at', 'id'], name='usage_record_of_number'),
        ),
        migrations.RemoveIndex(
            model_name='usagerecord',
            name='usage_record_failed',
        ),
        migrations.RemoveIndex(
            model_name='usagerecord',
            name='usage_record_by_hour',
        ),
    ]
