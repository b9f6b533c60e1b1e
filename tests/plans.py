"""How PostgreSQL would carry out what is asked of it: whether it reads a whole table that never stops growing."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: They grow as long as something is used.
GROWING = (
    "usage_usageevent",
    "usage_slice",
    "usage_unattributedusage",
    "usage_countedrun",
    "usage_countedwindow",
    "usage_countedvalue",
    "integrations_usagerecord",
    "integrations_usagebatch",
)
#: Of what is to be done, and of what is rare: they stay small, so they may be read from end to end.
_SMALL = {
    "slice_untaken",
    "slice_waiting",
    "usage_batch_open",
    "usage_record_accepted",
    "usage_record_correction",
    "usage_record_owed",
    "usage_record_planned",
    "usage_record_taken",
    "usage_record_unconfirmed",
}
#: All rows have the same one.
_SAME = "connection_id"


def seem_to_have_grown(*, times: int) -> None:
    """Have PostgreSQL plan, until the transaction ends, as if the tables had so many times the rows that they have."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = reltuples * %s WHERE relname = ANY(%s) OR oid IN ("
            "SELECT indexrelid FROM pg_index WHERE indrelid = ANY(%s::regclass[])) AND relname <> ALL(%s)",
            [times, list(GROWING), list(GROWING), list(_SMALL)],
        )


@contextmanager
def whole_tables_read() -> Iterator[list[str]]:
    """Give a list that tells, after what is done inside, which statements would read a whole table, and how."""
    found: list[str] = []

    def explain(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith("EXPLAIN") and not many and any(table in sql for table in GROWING):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                [[[plan]]] = cursor.fetchall()
            asked = " ".join(sql.split())[:700]
            found.extend(f"{how}: {asked}" for how in _whole(plan["Plan"], of=None) if f"{how}: {asked}" not in found)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def _whole(node: dict[str, Any], *, of: dict[str, Any] | None) -> Iterator[str]:
    kind, index, condition = node["Node Type"], node.get("Index Name"), node.get("Index Cond", "")
    if kind == "Seq Scan" and node["Relation Name"] in GROWING:
        yield f"Seq Scan of {node['Relation Name']}"
    # The first row of an index is no more than that.
    is_first = of is not None and of["Node Type"] == "Limit" and "Filter" not in node
    is_large = index is not None and index not in _SMALL and _table_of(index) in GROWING
    if is_large and not is_first and not re.sub(rf"[()]|{_SAME} = \d+| AND ", "", condition):
        yield f"{kind} of all of {index}"
    for inner in node.get("Plans", ()):
        yield from _whole(inner, of=node)


def _table_of(index: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_indexes WHERE indexname = %s", [index])
        [[table]] = cursor.fetchall()
        return str(table)
