"""Lets every role see the raw rows of usage that is billed to nobody."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations


def let_it_be_seen(apps, schema_editor):
    # Django makes permissions after all migrations have run; the groups need it now.
    create_permissions(
        installed.get_app_config("usage"), verbosity=0, apps=apps, using=schema_editor.connection.alias
    )
    seen = apps.get_model("auth", "Permission").objects.get(
        content_type__app_label="usage", codename="view_unattributedusage"
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=["Viewer", "Operator", "Administrator"]):
        group.permissions.add(seen)


class Migration(migrations.Migration):
    dependencies = [("integrations", "0024_usage_of_nobody"), ("usage", "0007_changed_meters")]

    operations = [migrations.RunPython(let_it_be_seen, migrations.RunPython.noop)]
