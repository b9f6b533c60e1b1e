import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F


def keep_what_was_found(apps, schema_editor):
    """What was kept so far had come to its end, with its first differences in the row itself."""
    reconciliations = apps.get_model("integrations", "UsageReconciliation")
    differences = apps.get_model("integrations", "UsageDifference")
    reconciliations.objects.update(seen_at=F("at"), finished_at=F("at"))
    for kept in reconciliations.objects.exclude(report=[]).iterator():
        differences.objects.bulk_create([differences(reconciliation=kept, line=line) for line in kept.report])


class Migration(migrations.Migration):

    dependencies = [
        ("integrations", "0005_append_only_audit"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageDifference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.JSONField(help_text="As the report has it: who, which charge and period, what each side says.")),
                ("reconciliation", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="differences", to="integrations.usagereconciliation")),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.AddField("usagereconciliation", "asked_by", models.CharField(blank=True, help_text="Empty: it was the night's.", max_length=255)),
        migrations.AddField("usagereconciliation", "seen_at", models.DateTimeField(null=True)),
        migrations.AddField("usagereconciliation", "finished_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunPython(keep_what_was_found, migrations.RunPython.noop),
        migrations.AlterField("usagereconciliation", "seen_at", models.DateTimeField(help_text="When it last said that it is under way.")),
        migrations.AlterField("usagereconciliation", "at", models.DateTimeField(db_index=True, help_text="When it was asked for.")),
        migrations.AlterField("usagereconciliation", "compared", models.PositiveIntegerField(default=0, help_text="Charges and periods.")),
        migrations.AlterField("usagereconciliation", "differing", models.PositiveIntegerField(default=0)),
        migrations.RemoveField("usagereconciliation", "report"),
        migrations.AddIndex("usagerecord", models.Index(fields=["connection", "starts_at", "state"], name="usage_record_by_hour")),
    ]
