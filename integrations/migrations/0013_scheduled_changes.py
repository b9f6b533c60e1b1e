"""Lets every role see what is scheduled for a subscription, and what it was before."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

SEEN = ("view_scheduledchange", "view_pastterms")


def show(apps, schema_editor):
    # Django makes permissions after all migrations have run; the groups need them now.
    create_permissions(
        installed.get_app_config("subscriptions"), verbosity=0, apps=apps, using=schema_editor.connection.alias
    )
    seen = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="subscriptions", codename__in=SEEN
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["Viewer", "Operator", "Administrator"]):
        group.permissions.add(*seen)


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0012_job_waiting_other"),
        ("subscriptions", "0002_life"),
    ]

    operations = [migrations.RunPython(show, migrations.RunPython.noop)]
