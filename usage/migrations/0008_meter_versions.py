import django.db.models.deletion
from django.db import migrations, models


def keep_the_meters_that_counted(apps, schema_editor):
    """Keep what each feature was counted by last; where its meter was changed since, what it was is not known."""
    meters = {one.feature_id: one for one in apps.get_model('usage', 'Meter').objects.all()}
    MeterVersion = apps.get_model('usage', 'MeterVersion')
    MeterVersion.objects.bulk_create(
        MeterVersion(
            feature_id=counted.feature_id,
            changed_at=counted.changed_at,
            aggregation=meters[counted.feature_id].aggregation,
            field=meters[counted.feature_id].field,
            filters=meters[counted.feature_id].filters,
        )
        for counted in apps.get_model('usage', 'CountedMeter').objects.all()
        if counted.feature_id in meters
    )


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0003_how_it_is_sold'),
        ('usage', '0007_changed_meters'),
    ]

    operations = [
        migrations.CreateModel(
            name='MeterVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('aggregation', models.CharField(choices=[('SUM', 'Sum'), ('COUNT', 'Count'), ('UNIQUE', 'Unique'), ('MIN', 'Min'), ('MAX', 'Max'), ('AVG', 'Avg')], max_length=6)),
                ('field', models.CharField(blank=True, help_text='The dimension that is aggregated; empty for COUNT.', max_length=255)),
                ('filters', models.JSONField(blank=True, default=list)),
                ('changed_at', models.DateTimeField()),
                ('until', models.DateTimeField(null=True)),
                ('feature', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='catalog.feature')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('until', None)), fields=('feature',), name='meter_version_counted_by')],
            },
        ),
        migrations.RunPython(keep_the_meters_that_counted, migrations.RunPython.noop),
        migrations.DeleteModel(name='CountedMeter'),
    ]
