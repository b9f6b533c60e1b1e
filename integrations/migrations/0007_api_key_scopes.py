from django.db import migrations, models


def rename(apps, old, new):
    apps.get_model("integrations", "ApiKey").objects.filter(scope=old).update(scope=new)


def widen(apps, schema_editor):
    """What could do everything still can."""
    rename(apps, "FULL", "WRITE")


def narrow(apps, schema_editor):
    """Nothing less than everything was known: a key that may only read is left with usage."""
    rename(apps, "WRITE", "FULL")
    rename(apps, "READ", "USAGE")


class Migration(migrations.Migration):

    dependencies = [
        ('integrations', '0006_usage_differences'),
    ]

    operations = [
        migrations.AlterField(
            model_name='apikey',
            name='scope',
            field=models.CharField(choices=[('READ', 'Read only'), ('WRITE', 'Read and write'), ('USAGE', 'Report and read usage only')], default='WRITE', max_length=5),
        ),
        migrations.RunPython(widen, narrow),
    ]
