"""Usage by file: taken at once, processed later, and all of it or nothing.

Source: https://developer.zuora.com/v1-api-reference/api/operation/POST_Usage/ (columns, 4 MB, status) and
https://docs.zuora.com/en/zuora-billing/bill-your-customers/usage-billing/unbilled-usage (UNIQUE_KEY).
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin.errors import Kind, Refusal, invalid, missing
from integrations.zuora.standin.jobs import WORKS, put_job
from integrations.zuora.standin.usage import PROCESSED, change_usage, new_usage

if TYPE_CHECKING:
    from integrations.zuora.standin.store import Row
    from integrations.zuora.standin.tenant import Tenant
    from integrations.zuora.standin.wire import Request

LARGEST_FILE = 4 * 1024 * 1024
LONGEST_NAME = 50
NEEDED = ("ACCOUNT_ID", "UOM", "QTY", "STARTDATE", "ENDDATE", "SUBSCRIPTION_ID", "CHARGE_ID")
DATES = {"en_US": "%m/%d/%Y", "en_GB": "%d/%m/%Y"}


def upload(tenant: Tenant, request: Request) -> Any:
    name, content = _file(request)
    if len(name) > LONGEST_NAME or not name.lower().endswith(".csv"):
        raise invalid("The file must be a .csv with a name of at most 50 characters.")
    if len(content) > LARGEST_FILE:
        raise invalid("The file must not be larger than 4 MB.")
    _rows_of(content)
    row = new_import(tenant, name, content)
    status = f"/v1/usage/{row['Id']}/status"
    return {"success": True, "size": len(content), "checkImportStatus": status}


def new_import(tenant: Tenant, name: str, content: bytes) -> Row:
    """An import of usage that is processed as a job."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    row = tenant.created(ImportType="Usage", Name=name, Status="Pending", Md5=md5, ImportedCount=0, TotalCount=0)
    tenant.store.put("Import", row)
    put_job(tenant, "usageImport", ImportId=row["Id"], FileName=name, Content=content.decode("utf-8", "replace"))
    return row


def _file(request: Request) -> tuple[str, bytes]:
    """The one part `file` of a multipart body."""
    kind = request.header("content-type")
    match = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.lower().startswith("multipart/form-data") or match is None:
        raise Refusal(Kind.MEDIA_TYPE, "The body must be multipart/form-data with a part named file.")
    for part in request.plain_body.split(b"--" + match[1].encode("latin-1")):
        head, found, content = part.partition(b"\r\n\r\n")
        named = re.search(rb'\bname="file"', head, re.IGNORECASE)
        if found and named:
            file_name = re.search(rb'filename="([^"]*)"', head)
            return (file_name[1].decode("utf-8", "replace") if file_name else ""), content.removesuffix(b"\r\n")
    raise missing("file")


def _rows_of(content: bytes) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise invalid("The file is not a CSV in UTF-8.") from wrong
    absent = [name for name in NEEDED if name not in (reader.fieldnames or [])]
    if absent:
        raise missing(f"column {', '.join(absent)}")
    return rows


def _work(tenant: Tenant, job: Row) -> dict[str, Any]:
    """Import every row, or none; the import tells what happened either way."""
    target = tenant.require("Import", job["ImportId"])
    rows = _rows_of(job["Content"].encode())
    try:
        with tenant.store.transaction():
            for number, row in enumerate(rows, start=2):
                _take(tenant, row, number, job["FileName"])
    except Refusal as refusal:
        tenant.update("Import", target, Status="Failed", StatusReason=refusal.message, TotalCount=len(rows))
    else:
        tenant.update("Import", target, Status="Completed", TotalCount=len(rows), ImportedCount=len(rows))
    tenant.update("Job", job, Content="")
    return {}


WORKS["usageImport"] = _work


def _take(tenant: Tenant, row: dict[str, str], number: int, file_name: str) -> None:
    try:
        body = _body(tenant, row)
        key = body.get("UniqueKey")
        if key and _same_key(tenant, key, body):
            return
        made = new_usage(tenant, body)
        tenant.store.change("Usage", made, FileName=file_name, SourceType="Import")
    except Refusal as refusal:
        raise Refusal(refusal.kind, f"Row {number}: {refusal.message}") from refusal


def _body(tenant: Tenant, row: dict[str, str]) -> dict[str, Any]:
    try:
        quantity = Decimal(row["QTY"])
    except InvalidOperation as wrong:
        raise invalid(f"QTY is not a number: '{row['QTY']}'.") from wrong
    if not quantity.is_finite():
        raise invalid(f"QTY is not a number: '{row['QTY']}'.")
    body: dict[str, Any] = {
        "AccountNumber": row["ACCOUNT_ID"],
        "UOM": row["UOM"],
        "Quantity": quantity,
        "StartDateTime": _day(tenant, row["STARTDATE"], "STARTDATE"),
    }
    if row["ENDDATE"]:
        body["EndDateTime"] = _day(tenant, row["ENDDATE"], "ENDDATE")
    for column, name in (
        ("SUBSCRIPTION_ID", "SubscriptionNumber"),
        ("CHARGE_ID", "ChargeNumber"),
        ("DESCRIPTION", "Description"),
        ("UNIQUE_KEY", "UniqueKey"),
    ):
        if row.get(column):
            body[name] = row[column]
    return body | {name: value for name, value in row.items() if name and name.endswith("__c") and value}


def _day(tenant: Tenant, text: str, column: str) -> str:
    """Dates follow the API user's locale."""
    form = DATES.get(tenant.switches.locale, DATES["en_US"])
    for pattern in (form, f"{form} %H:%M:%S", f"{form} %H:%M"):
        try:
            return datetime.strptime(text.strip(), pattern).isoformat()  # noqa: DTZ007 - the tenant's zone is set later
        except ValueError:
            continue
    raise invalid(f"{column} is not a date of locale {tenant.switches.locale}: '{text}'.")


def _same_key(tenant: Tenant, key: str, body: dict[str, Any]) -> bool:
    """Upsert by key: update the record that has it; whether there was one."""
    found = tenant.store.where("Usage", "UniqueKey", key) if tenant.switches.usage_unique_key else []
    if not found:
        return False
    row = found[0]
    if any(body.get(name) != row.get(name) for name in ("SubscriptionNumber", "ChargeNumber")):
        raise invalid(f"The UNIQUE_KEY '{key}' belongs to usage of another subscription or charge.")
    if row["RbeStatus"] != PROCESSED:
        names = ("Quantity", "StartDateTime", "EndDateTime", "Description")
        change_usage(tenant, row, {name: body[name] for name in names if name in body})
    return True


def read_status(tenant: Tenant, request: Request) -> Any:
    row = tenant.require("Import", request.params["id"])
    return {"success": True, "importStatus": row["Status"], "message": row.get("StatusReason")}


def read_import(tenant: Tenant, request: Request) -> Any:
    return tenant.require("Import", request.params["id"])


def create_import(tenant: Tenant, request: Request) -> Any:
    """The CRUD twin, with its file as a form part."""
    _, content = _file(request)
    row = new_import(tenant, "import.csv", content)
    return {"Success": True, "Id": row["Id"]}
