"""What lists of a million subscriptions are searched by."""

from django.db import migrations

WORDS = (
    "array_to_tsvector(string_to_array(btrim(regexp_replace(lower(ref_id), "
    r"'[\x01-\x2f:-@\[-`{-\x7f]+', ' ', 'g')), ' '))"
)


def add_words(apps, schema_editor):
    """PostgreSQL finds the beginnings of words by an index; SQLite, which is for few subscriptions, looks at each."""
    if schema_editor.connection.vendor == "postgresql":
        column = f"words tsvector GENERATED ALWAYS AS ({WORDS}) STORED"
        schema_editor.execute(f"ALTER TABLE subscriptions_subscription ADD COLUMN {column}")
        schema_editor.execute("CREATE INDEX subscription_words ON subscriptions_subscription USING gin (words)")


def forget_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE subscriptions_subscription DROP COLUMN words")


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0003_told")]
    operations = [migrations.RunPython(add_words, forget_words)]
