"""Lets the database itself refuse to change or delete a line of the audit log; finds requests by their track id."""

from django.db import migrations, models

# A deleted user leaves the line: the link to them goes, the name stays.
_CHANGED = " OR ".join(
    f"NEW.{column} {{differs}} OLD.{column}" for column in ("id", "at", "actor_name", "action", "subject", "detail")
)
_POSTGRESQL = f"""
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.actor_id IS NULL AND NOT ({_CHANGED.format(differs="IS DISTINCT FROM")}) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON integrations_auditentry
  FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
"""
_POSTGRESQL_BACK = """
DROP TRIGGER audit_is_append_only ON integrations_auditentry;
DROP FUNCTION audit_is_append_only();
"""
_SQLITE = [
    f"""
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON integrations_auditentry
WHEN NEW.actor_id IS NOT NULL OR {_CHANGED.format(differs="IS NOT")}
BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END
""",
    """
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON integrations_auditentry
BEGIN SELECT RAISE(ABORT, 'The audit log is append-only.'); END
""",
]


def make_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_POSTGRESQL)
    elif schema_editor.connection.vendor == "sqlite":
        for statement in _SQLITE:
            schema_editor.execute(statement)


def drop_triggers(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_POSTGRESQL_BACK)
    elif schema_editor.connection.vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER audit_is_append_only_update")
        schema_editor.execute("DROP TRIGGER audit_is_append_only_delete")


class Migration(migrations.Migration):
    dependencies = [("integrations", "0004_usage")]

    operations = [
        migrations.AddIndex(
            model_name="request",
            index=models.Index(fields=["track_id"], name="request_track_id"),
        ),
        migrations.RunPython(make_triggers, drop_triggers),
    ]
