"""Usage as the rows of Zuora's usage file.

Source: https://docs.zuora.com/en/zuora-billing/bill-your-customer/usage-billing/usage-file-format
"""

import csv
import io
from datetime import date, datetime, time
from decimal import Decimal

from integrations.zuora.mapping.refusal import exact_number
from integrations.zuora.mapping.tenant import Tenant
from integrations.zuora.mapping.usage import Filed

#: Zuora reads a file's dates as the API user's locale writes them.
DATES = {"MM/DD/YYYY": "%m/%d/%Y", "DD/MM/YYYY": "%d/%m/%Y"}
#: All of them must be there; what is in ENDDATE bills nothing.
COLUMNS = ("ACCOUNT_ID", "UOM", "QTY", "STARTDATE", "ENDDATE", "SUBSCRIPTION_ID", "CHARGE_ID", "DESCRIPTION")


def header() -> str:
    """Return the first line of a file."""
    return _line(COLUMNS)


def file_row(filed: Filed, *, key: str, day: date, quantity: Decimal, dates: str) -> str:
    """Return a record's line; `dates` is one of `DATES`."""
    started = day.strftime(DATES[dates])
    number = format(exact_number(quantity), "f")
    return _line((filed.account, filed.unit, number, started, "", filed.subscription, filed.charge, key))


def moment_in_file(moment: datetime, tenant: Tenant) -> datetime:
    """Return the time that Zuora files a row under: a file tells the tenant's day, which is all that is billed by."""
    return datetime.combine(tenant.day(moment), time(), tzinfo=tenant.time_zone)


def _line(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
