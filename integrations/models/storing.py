"""Stores changed fields of many rows in one go: a bare UPDATE for each, without what `save` looks at every time."""

from collections.abc import Collection, Sequence

from django.db import connections, models, router


def store(rows: Sequence[models.Model], fields: Collection[str]) -> int:
    """Write these fields of rows of one model, as `save(update_fields=...)` would; return how many rows were there."""
    if not rows:
        return 0
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    quote, meta = connection.ops.quote_name, model._meta  # noqa: SLF001 - Django's public name for it
    columns = [one for one in meta.concrete_fields if one.name in fields]
    changes = ", ".join(f"{quote(str(one.column))} = %s" for one in columns)
    values = [
        [*(one.get_db_prep_save(getattr(row, one.attname), connection) for one in columns), row.pk] for row in rows
    ]
    sql = f"UPDATE {quote(meta.db_table)} SET {changes} WHERE id = %s"  # noqa: S608 - names of our own
    with connection.cursor() as cursor:
        if len(values) == 1:
            cursor.execute(sql, values[0])
        else:
            cursor.executemany(sql, values)
        return int(cursor.rowcount)
