"""What lists of a million customers are searched and sorted by."""

from django.db import migrations, models

WORDS = (
    "array_to_tsvector(string_to_array(btrim(regexp_replace(lower(ref_id || ' ' || name || ' ' || email), "
    r"'[\x01-\x2f:-@\[-`{-\x7f]+', ' ', 'g')), ' '))"
)


def add_words(apps, schema_editor):
    """PostgreSQL finds the beginnings of words by an index; SQLite, which is for few customers, looks at each."""
    if schema_editor.connection.vendor == "postgresql":
        column = f"words tsvector GENERATED ALWAYS AS ({WORDS}) STORED"
        schema_editor.execute(f"ALTER TABLE customers_customer ADD COLUMN {column}")
        schema_editor.execute("CREATE INDEX customer_words ON customers_customer USING gin (words)")


def forget_words(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE customers_customer DROP COLUMN words")


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_passthrough")]
    operations = [
        migrations.AddIndex(
            model_name="customer", index=models.Index(fields=["name", "ref_id"], name="customer_by_name")
        ),
        migrations.RunPython(add_words, forget_words),
    ]
