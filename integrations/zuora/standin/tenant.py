"""The tenant: its tables, clock and switches, and the numbers it hands out."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from integrations.zuora.standin.errors import Kind, Refusal, not_found
from integrations.zuora.standin.store import Row, Shape, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from integrations.zuora.standin.clock import Clock
    from integrations.zuora.standin.switches import Switches

USER_ID = "8ad0000000000000000000000000user"


def _field(name: str) -> Callable[[Row], Any]:
    return lambda row: row.get(name)


def _filed(name: str) -> Callable[[Row], list[Any]]:
    return lambda row: [row[name]] if row.get(name) is not None else []


def _folded(name: str) -> Callable[[Row], list[str]]:
    """Filed without regard to case, as Object Query compares; such look-ups have a lower-case name."""
    return lambda row: [row[name].casefold()] if row.get(name) is not None else []


def charges_of(subscription: Row) -> Iterator[Row]:
    """Every charge segment of a subscription's version."""
    for plan in subscription["RatePlans"]:
        yield from plan["Charges"]


def _plan_name(row: Row) -> tuple[str, str]:
    return (row["ProductId"], row["Name"])


def _latest_number(row: Row) -> str | None:
    return row["Name"] if row["IsLatestVersion"] else None


SHAPES: dict[str, Shape] = {
    "Product": Shape(
        unique={"SKU": _field("SKU"), "ProductNumber": _field("ProductNumber")},
        lookups={"sku": _folded("SKU"), "productnumber": _folded("ProductNumber")},
    ),
    "ProductRatePlan": Shape(
        unique={"Name": _plan_name, "ProductRatePlanNumber": _field("ProductRatePlanNumber")},
        lookups={"ProductId": _filed("ProductId"), "productrateplannumber": _folded("ProductRatePlanNumber")},
    ),
    "ProductRatePlanCharge": Shape(
        unique={"ProductRatePlanChargeNumber": _field("ProductRatePlanChargeNumber")},
        lookups={
            "ProductRatePlanId": _filed("ProductRatePlanId"),
            "UOM": _filed("UOM"),
            "productrateplanchargenumber": _folded("ProductRatePlanChargeNumber"),
        },
    ),
    "ProductRatePlanChargeTier": Shape(lookups={"ProductRatePlanChargeId": _filed("ProductRatePlanChargeId")}),
    "UnitOfMeasure": Shape(unique={"UomName": _field("UomName")}),
    "Account": Shape(
        unique={"AccountNumber": _field("AccountNumber")}, lookups={"accountnumber": _folded("AccountNumber")}
    ),
    "Contact": Shape(lookups={"AccountId": _filed("AccountId")}),
    "PaymentMethod": Shape(lookups={"AccountId": _filed("AccountId")}),
    "Order": Shape(
        unique={"OrderNumber": _field("OrderNumber")},
        lookups={
            "AccountId": _filed("AccountId"),
            "ordernumber": _folded("OrderNumber"),
            "Subscription": lambda row: (
                {one["SubscriptionNumber"] for one in row["Done"]}
                | {entry["subscriptionNumber"] for entry in row["Entries"] if entry.get("subscriptionNumber")}
            ),
        },
    ),
    "Subscription": Shape(
        unique={"Latest": _latest_number, "Version": lambda row: (row["Name"], row["Version"])},
        lookups={
            "Name": _filed("Name"),
            "name": _folded("Name"),
            "AccountId": _filed("AccountId"),
            "Plan": lambda row: {plan["ProductRatePlanId"] for plan in row["RatePlans"]},
            "Charge": lambda row: {one["ChargeNumber"] for one in charges_of(row)} if row["IsLatestVersion"] else (),
            "OriginalCharge": lambda row: (
                {one["OriginalId"] for one in charges_of(row)} if row["IsLatestVersion"] else ()
            ),
        },
    ),
    "Usage": Shape(
        lookups={
            "AccountId": _filed("AccountId"),
            "SubscriptionNumber": _filed("SubscriptionNumber"),
            "Description": _filed("Description"),
            "UniqueKey": _filed("UniqueKey"),
        }
    ),
    "Import": Shape(),
    "Invoice": Shape(unique={"InvoiceNumber": _field("InvoiceNumber")}, lookups={"AccountId": _filed("AccountId")}),
    "InvoiceItem": Shape(lookups={"InvoiceId": _filed("InvoiceId"), "ChargeNumber": _filed("ChargeNumber")}),
    "BillRun": Shape(unique={"BillRunNumber": _field("BillRunNumber")}),
    "Job": Shape(lookups={"Open": _filed("Open")}),
    "EventTrigger": Shape(unique={"Name": lambda row: row["eventType"]["name"]}),
    "NotificationDefinition": Shape(unique={"Name": lambda row: (row["communicationProfileId"], row["name"])}),
    "Callout": Shape(),
    "Token": Shape(),
    "IdempotencyKey": Shape(),
}


class Tenant:
    """One tenant; every handler gets it as its first argument, under `mutex`."""

    def __init__(self, *, clock: Clock, switches: Switches, seed: int) -> None:
        self.clock = clock
        self.switches = switches
        self.default_switches = switches
        self.store = Store(SHAPES, seed=seed)
        self.mutex = threading.RLock()
        self._held: set[str] = set()
        self.cursors: dict[str, tuple[datetime, list[Row], str]] = {}
        self.events: list[tuple[str, str, Row]] = []
        self.resend: list[Row] = []

    def stamp(self) -> str:
        """The moment as CRUD and Object Query write it: in the tenant's zone, with its offset."""
        local = self.clock.now().astimezone(ZoneInfo(self.switches.time_zone))
        return local.isoformat(timespec="milliseconds")

    def v1_stamp(self) -> str:
        local = self.clock.now().astimezone(ZoneInfo(self.switches.time_zone))
        return local.strftime("%Y-%m-%d %H:%M:%S")

    def today(self) -> date:
        return self.clock.now().astimezone(ZoneInfo(self.switches.time_zone)).date()

    def number(self, sequence: str) -> str:
        """The next automatic number, such as A00000001 or O-00000001."""
        return f"{sequence}{self.store.next(sequence):08d}"

    def created(self, **values: Any) -> Row:
        """A new row with id and audit fields; members that are None are left out."""
        now = self.stamp()
        row: Row = {"Id": self.store.new_id()}
        row.update({name: value for name, value in values.items() if value is not None})
        row.update(CreatedById=USER_ID, CreatedDate=now, UpdatedById=USER_ID, UpdatedDate=now)
        return row

    def update(self, table: str, row: Row, **changes: Any) -> Row:
        return self.store.change(table, row, **changes, UpdatedDate=self.stamp())

    def require(self, table: str, row_id: str) -> Row:
        """The row of this id.

        Raises:
            Refusal: there is none.
        """
        row = self.store.get(table, row_id)
        if row is None:
            raise not_found(table, row_id)
        return row

    def account(self, key: str) -> Row:
        """An account by id or number: parameters named "...Key" take either.

        Raises:
            Refusal: there is none.
        """
        row = self.store.get("Account", key) or self.store.find("Account", "AccountNumber", key)
        if row is None:
            raise not_found("account", key)
        return row

    @contextmanager
    def holding(self, accounts: list[str]) -> Iterator[None]:
        """Hold the accounts for one write.

        Raises:
            Refusal: another write holds one of them; Zuora does not wait long either.
        """
        with ExitStack() as stack:
            with self.mutex:
                for account in dict.fromkeys(accounts):
                    if account in self._held:
                        raise Refusal(Kind.LOCKED, "Operation failed due to a lock competition, please retry later.")
                    self._held.add(account)
                    stack.callback(self._held.discard, account)
            yield
