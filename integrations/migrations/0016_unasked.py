"""Keeps a list of the entities that have no record, so that it is shown without looking at each of a million."""

from django.db import migrations, models

_TABLES = {"customer": "customers_customer", "subscription": "subscriptions_subscription"}
_RECORDED = """
  SELECT 1 FROM integrations_syncrecord AS record JOIN integrations_connection AS connection
  ON connection.id = record.connection_id AND connection.removed_at IS NULL
  WHERE record.kind = '{kind}' AND record.root_id = entity.id
"""
_REBUILD = "DELETE FROM integrations_unasked;" + "".join(
    f"""
INSERT INTO integrations_unasked (kind, root_id, ref_id) SELECT '{kind}', entity.id, entity.ref_id
  FROM {table} AS entity WHERE NOT EXISTS ({_RECORDED.format(kind=kind)});
"""
    for kind, table in _TABLES.items()
)
_AFTER_A_RECORD = "".join(
    f"""
INSERT INTO integrations_unasked (kind, root_id, ref_id) SELECT '{kind}', entity.id, entity.ref_id
  FROM gone JOIN {table} AS entity ON gone.kind = '{kind}' AND gone.root_id = entity.id
  WHERE NOT EXISTS ({_RECORDED.format(kind=kind)}) ON CONFLICT DO NOTHING;
"""
    for kind, table in _TABLES.items()
)


def _function(name, body):
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$;"


# A tenant is removed or taken up again while others save: their rows must be seen, and their triggers see the change.
_LOCK = f"LOCK TABLE {', '.join(_TABLES.values())}, integrations_syncrecord IN SHARE ROW EXCLUSIVE MODE;"
_FUNCTIONS = {
    "unasked_entity_made": """
  INSERT INTO integrations_unasked (kind, root_id, ref_id) SELECT TG_ARGV[0], id, ref_id FROM made
  ON CONFLICT DO NOTHING;""",
    "unasked_entity_gone": """
  DELETE FROM integrations_unasked AS unasked USING gone WHERE unasked.kind = TG_ARGV[0] AND unasked.root_id = gone.id;
""",
    "unasked_record_made": """
  DELETE FROM integrations_unasked AS unasked USING made, integrations_connection AS connection
  WHERE connection.id = made.connection_id AND connection.removed_at IS NULL
  AND unasked.kind = made.kind AND unasked.root_id = made.root_id;""",
    "unasked_record_gone": _AFTER_A_RECORD,
    "unasked_connection_changed": _LOCK + _REBUILD,
}
_ON_ENTITIES = """
CREATE TRIGGER unasked_made AFTER INSERT ON {table} REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION unasked_entity_made('{kind}');
CREATE TRIGGER unasked_gone AFTER DELETE ON {table} REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION unasked_entity_gone('{kind}');
"""
_ON_RECORDS = """
CREATE TRIGGER unasked_made AFTER INSERT ON integrations_syncrecord REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION unasked_record_made();
CREATE TRIGGER unasked_gone AFTER DELETE ON integrations_syncrecord REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION unasked_record_gone();
"""
_ON_CONNECTIONS = """
CREATE TRIGGER unasked_changed AFTER UPDATE OF removed_at ON integrations_connection
  FOR EACH ROW WHEN (OLD.removed_at IS DISTINCT FROM NEW.removed_at) EXECUTE FUNCTION unasked_connection_changed();
"""


def make_triggers(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for name, body in _FUNCTIONS.items():
        schema_editor.execute(_function(name, body))
    for kind, table in _TABLES.items():
        schema_editor.execute(_ON_ENTITIES.format(kind=kind, table=table))
    schema_editor.execute(_ON_RECORDS + _ON_CONNECTIONS)
    schema_editor.execute(_REBUILD)  # the triggers' locks hold: nothing is saved meanwhile


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("".join(f"DROP FUNCTION {name}() CASCADE;" for name in _FUNCTIONS))


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_search_and_sort"),
        ("subscriptions", "0004_search"),
        ("integrations", "0015_usage_files"),
    ]
    operations = [
        migrations.CreateModel(
            name="Unasked",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[('plan', 'Plan'), ('addon', 'Add-on'), ('coupon', 'Coupon'), ('customer', 'Customer'), ('subscription', 'Subscription'), ('billing_period', 'Billing period'), ('charge', 'Charge'), ('unit', 'Unit of measure')], max_length=14)),
                ("root_id", models.BigIntegerField()),
                ("ref_id", models.CharField(max_length=255)),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "ref_id"], name="unasked_in_order")],
                "constraints": [models.UniqueConstraint(fields=["kind", "root_id"], name="unasked_once")],
            },
        ),
        migrations.RunPython(make_triggers, drop_triggers),
    ]
