"""Reading: Object Query, which is the rule, and ZOQL for what it cannot filter.

Sources: https://developer.zuora.com/v1-api-reference/api/tag/Object-Queries and
https://developer.zuora.com/docs/guides/pagination
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from integrations.zuora.client.transport import Query, Transport, segment
from integrations.zuora.errors import Kind, UnexpectedAnswer
from integrations.zuora.leases import CallClass

PAGE_SIZE = 50  # Zuora's pages say 1 to 99 in one place and 1 to 50 in another


class QueryEndpoints(Transport):
    # https://developer.zuora.com/v1-api-reference/api/tag/Object-Queries
    def query(
        self,
        objects: str,
        *,
        filters: Iterable[str] = (),
        expand: Iterable[str] = (),
        sort: Iterable[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of `/object-query/<objects>` that meet all filters, page after page.

        Filters are made by `equal`; only the fields that Zuora lists for the object can be filtered. Zuora's pages
        disagree on letter case: compare what comes back where case matters. Field names of rows are in Zuora's own
        camel case (`sKU`, `uOM`): read them with `field`.
        """
        query: Query = [("pageSize", str(PAGE_SIZE))]
        query += [("filter[]", text) for text in filters]
        query += [("expand[]", text) for text in expand]
        query += [("sort[]", text) for text in sort]
        cursor, seen = "", set[str]()
        while cursor not in seen:
            seen.add(cursor)
            page = self._get(
                f"/object-query/{objects}",
                query=query + ([("cursor", cursor)] if cursor else []),
                call_class=CallClass.OBJECT_QUERY,
                expects=("data",),
            )
            yield from rows_in(page, "data")
            cursor = str(page.get("nextPage") or "")
            if not cursor:
                return
        raise UnexpectedAnswer(f"Zuora's pages of {objects} go in a circle.")

    # https://developer.zuora.com/v1-api-reference/api/tag/Object-Queries
    def query_by_key(self, objects: str, key: str, *, expand: Iterable[str] = ()) -> dict[str, Any]:
        """Return one row by its id, or by its number where Zuora keeps one.

        Raises:
            NotFound: there is none.
        """
        return self._get(
            f"/object-query/{objects}/{segment(key)}",
            query=[("expand[]", text) for text in expand],
            call_class=CallClass.OBJECT_QUERY,
            expects=("id",),
        )

    # https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTquery/
    def zoql(self, query: str) -> list[dict[str, Any]]:
        """Return all rows of a ZOQL query, null fields left out; quote values with `zoql_text`.

        A POST that changes nothing: its idempotency key is a new one each time, for an old one replays an old answer.
        """
        page = self._zoql_page("query", {"queryString": query})
        rows = rows_in(page, "records")
        while not page["done"]:
            page = self._zoql_page("queryMore", {"queryLocator": page.get("queryLocator")})
            more = rows_in(page, "records")
            if not more and not page["done"]:
                raise UnexpectedAnswer("Zuora has more rows and sends none.")
            rows += more
        return rows

    def _zoql_page(self, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        # https://developer.zuora.com/v1-api-reference/api/operation/Action_POSTqueryMore/
        return self._post(f"/v1/action/{action}", body, idempotency_key=uuid4().hex, expects=("done",))

    def _only(self, objects: str, *, filters: Iterable[str], exactly: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the one row with exactly these values, or None."""
        rows = [
            row
            for row in self.query(objects, filters=filters)
            if all(field(row, name) == value for name, value in exactly.items())
        ]
        if len(rows) > 1:
            ids = ", ".join(str(row.get("id")) for row in rows)
            raise UnexpectedAnswer(
                f"Zuora holds {len(rows)} {objects} with {dict(exactly)}: {ids}. Only one may be linked: rename or"
                " delete the others.",
                kind=Kind.PERMANENT,
            )
        return rows[0] if rows else None


def equal(name: str, value: str) -> str:
    """Return the filter `name.EQ:value`; the name is a filterable field, in lower case."""
    return f"{name}.EQ:{value}"


def one_of(name: str, values: Iterable[str]) -> str:
    """Return the filter `name.IN:[a,b]`; a value may hold no comma and no bracket."""
    return f"{name}.IN:[{','.join(values)}]"


def field(row: Mapping[str, Any], name: str) -> Any:
    """Return a row's field by its name in any letter case, or None: Object Query writes `sKU`, CRUD `SKU`."""
    return next((value for key, value in row.items() if key.lower() == name.lower()), None)


def rows_in(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the list of objects under this name, empty where Zuora leaves it out."""
    rows = page.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnexpectedAnswer(f"Zuora's {name!r} is no list of objects.")
    return rows


def zoql_text(value: str) -> str:
    """Return the value as a ZOQL literal, quoted and escaped."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
