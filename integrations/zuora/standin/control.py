"""The control API: everything a test or a demo may do to the stand-in, in process and under `/standin/`.

Over HTTP it is refused to everybody who does not come from loopback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from integrations.zuora.standin import oauth
from integrations.zuora.standin.billing.run import bill
from integrations.zuora.standin.errors import Refusal
from integrations.zuora.standin.faults import Fault, UnknownFaultError
from integrations.zuora.standin.store import Row
from integrations.zuora.standin.switches import UnknownSwitchError
from integrations.zuora.standin.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from integrations.zuora.standin.journal import FileJournal
    from integrations.zuora.standin.pipeline import Parts
    from integrations.zuora.standin.request_log import Logged

PREFIX = "/standin/"
LOOPBACK = ("127.", "::1", "::ffff:127.")
SHOWN_REQUESTS = 200
Snapshot = tuple[dict[str, dict[str, Row]], dict[str, int]]


class Control:
    """The verbs of the control API."""

    def __init__(self, parts: Parts, journal: FileJournal | None) -> None:
        self.parts = parts
        self._journal = journal
        self._snapshots: dict[str, Snapshot] = {}

    def reset(self) -> None:
        """Forget all state, faults, switches and the log; the clock follows the wall again."""
        parts = self.parts
        with parts.tenant.mutex:
            self._load(({}, {}))
            parts.tenant.switches = parts.tenant.default_switches
            parts.tenant.clock.follow_wall_clock()
            parts.tenant.cursors.clear()
        parts.faults.clear()
        self.clear_log()

    def clear_log(self) -> None:
        self.parts.log.clear()
        self.parts.limits.reset()

    def set_clock(self, instant: datetime) -> datetime:
        """Stop the clock at an aware instant."""
        self.parts.tenant.clock.stop_at(instant)
        return self.now()

    def advance(self, **span: float) -> datetime:
        """Move the clock by `days`, `hours`, `minutes`, `seconds`."""
        self.parts.tenant.clock.advance(timedelta(**span))
        return self.now()

    def follow_wall_clock(self) -> None:
        self.parts.tenant.clock.follow_wall_clock()

    def now(self) -> datetime:
        return self.parts.tenant.clock.now()

    def add_fault(self, kind: str, **members: Any) -> Fault:
        """Put a fault in force; `faults.KINDS` names them, `faults.Fault` their members."""
        return self.parts.faults.add(kind, **members)

    def clear_faults(self) -> None:
        self.parts.faults.clear()

    def set_switches(self, **changes: Any) -> None:
        """Change tenant switches; `switches.Switches` names them."""
        self.parts.tenant.switches = self.parts.tenant.switches.changed(changes)

    def revoke_tokens(self) -> None:
        with self.parts.tenant.mutex:
            oauth.revoke_all(self.parts.tenant)

    def requests(self, method: str = "", template: str = "") -> list[Logged]:
        return self.parts.log.matching(method, template)

    def counts(self) -> dict[tuple[str, str], int]:
        """How often each method and path template was asked for."""
        return dict(self.parts.log.counts)

    def most_in_flight(self) -> dict[str, int]:
        """The most requests seen at once, for each concurrency class and for "all"."""
        return dict(self.parts.limits.most_in_flight)

    def bill_run(self, target: date, *, account_number: str | None = None) -> list[Row]:
        """Bill through a day, now and posted; the invoices."""
        tenant = self.parts.tenant
        with tenant.mutex, tenant.store.transaction():
            account = tenant.account(account_number)["Id"] if account_number else None
            return bill(tenant, target=target, account_id=account)

    def rows(self, table: str) -> list[Row]:
        """A table's rows as stored, oldest first; they must not be changed."""
        with self.parts.tenant.mutex:
            return list(self.parts.tenant.store.all(table))

    def snapshot(self, name: str = "default") -> None:
        with self.parts.tenant.mutex:
            store = self.parts.tenant.store
            self._snapshots[name] = (
                {key: dict(table.rows) for key, table in store.tables.items()},
                dict(store.sequences),
            )

    def restore(self, name: str = "default") -> None:
        """Go back to a snapshot.

        Raises:
            KeyError: there is none of this name.
        """
        snapshot = self._snapshots[name]
        with self.parts.tenant.mutex:
            self._load(snapshot)

    def _load(self, snapshot: Snapshot) -> None:
        store, journal = self.parts.tenant.store, self._journal
        store.clear()
        for table, rows in snapshot[0].items():
            for row_id, row in rows.items():
                store.tables[table].put(row_id, row)
        store.sequences.update(snapshot[1])
        if journal is not None:
            journal.rewrite(store)


def handle(control: Control, request: Request) -> Answer:
    """Answer a control request; anything wrong with it is one sentence."""
    if request.remote and not request.remote.startswith(LOOPBACK):
        return json_answer({"message": "The control API answers loopback only."}, 403)
    verb = VERBS.get((request.method, request.path.removeprefix(PREFIX).strip("/")))
    if verb is None:
        return json_answer(
            {"message": f"No such control. Known: {', '.join(f'{m} {PREFIX}{p}' for m, p in VERBS)}."}, 404
        )
    try:
        body = request.json if request.body else {}
        return json_answer(verb(control, request, body))
    except Refusal as refusal:
        return json_answer({"message": refusal.message}, 400)
    except (UnknownFaultError, UnknownSwitchError, ValueError, TypeError, OverflowError) as wrong:
        return json_answer({"message": str(wrong)}, 400)
    except KeyError as wrong:
        return json_answer({"message": f"There is no {wrong}."}, 404)


Verb = Callable[["Control", Request, dict[str, Any]], Any]


def _reset(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    control.reset()
    return {"done": True}


def _clock(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    if "now" in body:
        control.set_clock(datetime.fromisoformat(body["now"]))
    elif "advance" in body:
        control.advance(**{name: float(value) for name, value in body["advance"].items()})
    elif body.get("follow"):
        control.follow_wall_clock()
    return {"now": control.now().isoformat(), "stopped": control.parts.tenant.clock.stopped}


def _read_faults(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    return {"faults": control.parts.faults.listed()}


def _add_fault(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    members = {
        name: float(value) if name in ("rate", "seconds") else value for name, value in body.items() if name != "kind"
    }
    return asdict(control.add_fault(str(body.get("kind", "")), **members))


def _clear_faults(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    control.clear_faults()
    return {"done": True}


def _switches(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    control.set_switches(**body)
    return asdict(control.parts.tenant.switches)


def _requests(control: Control, request: Request, _body: dict[str, Any]) -> Any:
    found = control.requests(request.parameter("method"), request.parameter("template"))
    shown = found[-int(request.parameter("last", str(SHOWN_REQUESTS))) :]
    return {
        "total": len(found),
        "requests": [
            {
                "at": one.at,
                "method": one.method,
                "path": one.path,
                "query": one.query,
                "status": one.status,
                "idempotencyKey": one.idempotency_key,
                "headers": {name: value for name, value in one.headers.items() if name != "authorization"},
                "body": one.body,
                "response": one.response,
                "faults": one.faults,
            }
            for one in shown
        ],
    }


def _clear_log(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    control.clear_log()
    return {"done": True}


def _counts(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    counted = [
        {"method": method, "template": path, "count": count}
        for (method, path), count in sorted(control.counts().items())
    ]
    store = control.parts.tenant.store
    return {
        "requests": counted,
        "statuses": {str(status): count for status, count in sorted(control.parts.log.statuses.items())},
        "mostInFlight": control.most_in_flight(),
        "refusedByLimits": control.parts.limits.refused,
        "rows": {name: store.count(name) for name in store.tables},
    }


def _bill_run(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    invoices = control.bill_run(date.fromisoformat(str(body["date"])), account_number=body.get("accountNumber"))
    names = ("Id", "InvoiceNumber", "AccountId", "Amount", "Currency")
    return {"invoices": [{name: one[name] for name in names} for one in invoices]}


def _snapshot(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    control.snapshot(str(body.get("name", "default")))
    return {"done": True}


def _restore(control: Control, _request: Request, body: dict[str, Any]) -> Any:
    control.restore(str(body.get("name", "default")))
    return {"done": True}


def _revoke(control: Control, _request: Request, _body: dict[str, Any]) -> Any:
    control.revoke_tokens()
    return {"done": True}


VERBS: dict[tuple[str, str], Verb] = {
    ("POST", "reset"): _reset,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _clock,
    ("GET", "faults"): _read_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "switches"): _switches,
    ("PUT", "switches"): _switches,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _clear_log,
    ("GET", "counts"): _counts,
    ("POST", "bill-run"): _bill_run,
    ("POST", "snapshot"): _snapshot,
    ("POST", "restore"): _restore,
    ("POST", "revoke"): _revoke,
}
