"""Keeps which usage somebody changed in Zuora, and lets every role see what a subscription held before."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations, models


def show(apps, schema_editor):
    # Django makes permissions after all migrations have run; the groups need them now.
    create_permissions(
        installed.get_app_config("subscriptions"), verbosity=0, apps=apps, using=schema_editor.connection.alias
    )
    seen = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="subscriptions", codename="view_pastcontent"
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["Viewer", "Operator", "Administrator"]):
        group.permissions.add(*seen)


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0017_list_orders"),
        ("subscriptions", "0005_past_content"),
    ]

    operations = [
        migrations.AddField(
            model_name="usagedifference",
            name="changed_there",
            field=models.JSONField(default=list, help_text="Row ids of the usage records to be read again."),
        ),
        migrations.AddField(
            model_name="usagereconciliation",
            name="changed_there",
            field=models.PositiveIntegerField(default=0, help_text="Usage records that somebody changed in Zuora."),
        ),
        migrations.RunPython(show, migrations.RunPython.noop),
    ]
