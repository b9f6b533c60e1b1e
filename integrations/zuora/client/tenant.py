"""The tenant itself: who we are there, what its objects look like, which units it knows."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

from integrations.zuora.answers import Answer, classify, failure
from integrations.zuora.auth import Identity, identity
from integrations.zuora.client.queries import QueryEndpoints, rows_in
from integrations.zuora.client.transport import Body, segment
from integrations.zuora.errors import Outcome, UnexpectedAnswer, ZuoraError


class TenantEndpoints(QueryEndpoints):
    # https://developer.zuora.com/v1-api-reference/api/operation/createToken/
    def identify(self) -> Identity:
        """Ask for a new token and return whom it names: the proof that the credentials work now.

        Raises:
            Unauthorized: Zuora refuses them.
        """
        return identity(self._auth.prove())

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_Catalog/
    def check_connection(self) -> datetime | None:
        """Read one product, the cheapest call that needs a working API user; return Zuora's time by its Date header."""
        return self._call("GET", "/v1/catalog/products", _answered_at, query=[("pageSize", "1")])

    # https://developer.zuora.com/v1-api-reference/api/operation/GET_Describe/
    def describe(self, object_name: str) -> frozenset[str]:
        """Return the names of an object's fields, custom ones with their `__c`.

        Names of objects: https://developer.zuora.com/v1-api-reference/api-object-names/
        """
        path = f"/v1/describe/{segment(object_name)}"
        return self._call("GET", path, _field_names, accept="text/xml, application/json")

    # https://docs.zuora.com/zuora-platform/system-management/settings-api/settings-api-tutorials/unit-of-measure-settings/get-all-units-of-measure
    def units_of_measure(self) -> list[dict[str, Any]]:
        """Return `[{"id", "name", "displayAs", "precision", "roundingMode", "active", ...}]`.

        Raises:
            Forbidden: the API user may not read settings; `units_of_measure_by_zoql` may still work.
        """
        return rows_in(self._get("/settings/units-of-measure", expects=("unitsOfMeasure",)), "unitsOfMeasure")

    # https://docs.zuora.com/zuora-platform/integration/apis/soap-api/soap-api-object-reference/unitofmeasure
    def units_of_measure_by_zoql(self) -> list[dict[str, Any]]:
        """Return `[{"id", "name", "active", "precision"}]`, for API users who may not read settings."""
        rows = self.zoql("select Id, UomName, Active, DecimalPlaces from UnitOfMeasure")
        return [
            {
                "id": row.get("Id"),
                "name": row.get("UomName"),
                "active": row.get("Active"),
                "precision": row.get("DecimalPlaces"),
            }
            for row in rows
        ]

    # https://docs.zuora.com/zuora-platform/system-management/settings-api/settings-api-tutorials/unit-of-measure-settings/create-a-unit-of-measure
    def create_unit_of_measure(self, body: Body, *, idempotency_key: str) -> dict[str, Any]:
        """Create a unit: `{name, displayAs, precision, roundingMode "Up"|"Down", active, usageLogFileLabel}`."""
        return self._post("/settings/units-of-measure", body, idempotency_key=idempotency_key, expects=("id",))


def _answered_at(answer: Answer) -> datetime | None:
    outcome = classify(answer, expects=("products",))
    if isinstance(outcome, ZuoraError):
        raise outcome
    try:
        moment = parsedate_to_datetime(answer.header("date"))
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _field_names(answer: Answer) -> frozenset[str]:
    """Read `<object>...<fields><field><name>`. A success is XML here; a failure is JSON as everywhere."""
    text = answer.text.lstrip()
    if not (200 <= answer.status < 300 and text.startswith("<")):  # noqa: PLR2004
        raise failure(answer) or _no_description(answer)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # without these two, XML cannot expand beyond its own size
        raise _no_description(answer)
    try:
        root = ET.fromstring(text)  # noqa: S314  (bounded by the wire, and no entities)
    except (ET.ParseError, ValueError) as error:
        raise _no_description(answer) from error
    names = frozenset(name.text for name in root.iterfind("./fields/field/name") if name.text)
    if not names:
        raise _no_description(answer)
    return names


def _no_description(answer: Answer) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"HTTP {answer.status} with no description of an object: {answer.text[:200]!r}",
        status=answer.status,
        outcome=Outcome.UNKNOWN,
        request_id=answer.header("zuora-request-id"),
    )
