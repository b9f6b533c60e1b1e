"""Makes the three roles, as groups: a company may change what they hold, or cut its own."""

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import migrations

DOMAIN = ("catalog", "customers", "subscriptions")
SEEN = ("syncrecord", "syncjob", "delivery", "request", "auditentry", "connection")


def make_roles(apps, schema_editor):
    # Django makes permissions after all migrations have run; the groups need them now.
    for label in (*DOMAIN, "integrations"):
        create_permissions(installed.get_app_config(label), verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group = apps.get_model("auth", "Group")
    Permission = apps.get_model("auth", "Permission")
    domain = Permission.objects.filter(content_type__app_label__in=DOMAIN)
    ours = Permission.objects.filter(content_type__app_label="integrations")

    viewer = [*domain.filter(codename__startswith="view_"), *ours.filter(codename__in=[f"view_{name}" for name in SEEN])]
    operator = [
        *viewer,
        *domain.filter(codename__startswith="add_"),
        *domain.filter(codename__startswith="change_"),
        *ours.filter(codename__in=["change_syncjob", "change_syncrecord"]),
    ]
    administrator = [
        *operator,
        *domain.filter(codename__startswith="delete_"),
        *ours.filter(codename__in=["change_connection"]),
    ]
    for name, permissions in (("Viewer", viewer), ("Operator", operator), ("Administrator", administrator)):
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0001_initial"),
        ("catalog", "0001_initial"),
        ("customers", "0001_initial"),
        ("subscriptions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
