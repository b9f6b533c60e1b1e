"""What can become of a file of usage on its way, through real workers; the bill tells whether each record went once.

Nothing here waits for a moment: a worker is killed when database and stand-in say how far the file has come.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from integrations.models import BatchState, UsageAction, UsageBatch, UsageCharge, UsageRecord, UsageState
from integrations.tasks import usage_sweep
from integrations.usage_sync import retry
from usage.models import Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.processes.deployment import Deployment
    from tests.processes.running import Running

UPLOAD = "^/v1/usage$"
#: A unit that Zuora does not have.
WRONG_UNIT = "Furlongs"
_STATUS, _QUERY = "/status$", "/v1/action/query$"
_SWEEP_SECONDS = 5
_POLL_SECONDS = 0.1
#: Longer than it takes to see that Zuora was asked.
_LONG = 5.0


@dataclass
class FileRoad:
    """Workers that send usage by file. `hurries`: what is to be asked again in half a minute is asked again at once."""

    deployment: Deployment
    start_workers: Callable[[], list[Running]]
    seconds: float = 1800.0
    hurries: bool = False
    workers: list[Running] = field(default_factory=list)
    _imports: int = 0
    _swept: float = 0.0

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait, and sweep meanwhile, as the beat does."""

        def reached() -> bool:
            if time.monotonic() - self._swept > _SWEEP_SECONDS / (10 if self.hurries else 1):
                self._sweep()
            return bool(condition())

        alive = [*self.workers, self.deployment.standin]
        self.deployment.wait_until(reached, what, seconds=self.seconds, alive=alive, poll=_POLL_SECONDS)

    def _sweep(self) -> None:
        self._swept = time.monotonic()
        if self.hurries:
            left = UsageBatch.objects.filter(state__in=[BatchState.UNKNOWN, BatchState.LOOK_UP])
            left.update(not_before=datetime.now(UTC))
        usage_sweep.apply_async(queue="usage", expires=_SWEEP_SECONDS)

    def until_quiet(self) -> None:
        """Wait until Zuora has shown every record; one that it refuses raises RuntimeError."""
        self.until(self._is_quiet, "everything to be shown")

    @staticmethod
    def _is_quiet() -> bool:
        if refused := UsageRecord.objects.filter(state=UsageState.FAILED).first():
            raise RuntimeError(f"{refused} failed: {refused.reason}")
        return not (
            Slice.objects.untaken().exists()
            or UsageRecord.objects.exclude(state=UsageState.CONFIRMED).exists()
            or UsageBatch.objects.exclude(state=BatchState.DONE).exists()
        )

    # --- Mishaps: a fault is made before the usage goes, and a death comes between while it goes ----------------------
    def lose_the_answer(self) -> None:
        """Zuora takes the file, and nobody hears of it; nor the second time."""
        self.deployment.fault("drop", method="POST", path=UPLOAD, times=2)

    def fail_to_arrive(self) -> None:
        """Zuora is not there when the file comes; nor the second time."""
        self.deployment.fault("reset", method="POST", path=UPLOAD, times=2)

    def stop_the_tenant(self) -> None:
        os.kill(self.deployment.standin.pid, signal.SIGSTOP)

    def kill_while_it_uploads(self) -> None:
        """Every worker dies with the file on its way: Zuora reads what came of it when its sender is gone."""
        try:
            leaving = UsageBatch.objects.filter(
                action=UsageAction.FILE, state=BatchState.SENDING, sent_at__isnull=False
            )
            self.until(leaving.exists, "the file to leave")
            self._die()
        finally:
            os.kill(self.deployment.standin.pid, signal.SIGCONT)
        self.workers = self.start_workers()

    def delay_the_answer(self) -> None:
        """Zuora takes the file, and takes its time to say so."""
        self._imports = self.deployment.row_counts().get("Import", 0)
        self.deployment.fault("delay", method="POST", path=UPLOAD, times=1, seconds=_LONG, after=True)

    def kill_before_it_knows(self) -> None:
        """Every worker dies when Zuora has taken the file, and before the import's id is stored."""
        self.until(lambda: self.deployment.row_counts().get("Import", 0) > self._imports, "Zuora to take the file")
        self._die()
        if UsageBatch.objects.exclude(state=BatchState.DONE).exclude(import_id="").exists():
            raise RuntimeError("The import's id was stored before the workers died.")
        self.workers = self.start_workers()

    def kill_while_it_imports(self) -> None:
        """Every worker dies while Zuora imports the file."""
        running = UsageBatch.objects.exclude(import_id="").exclude(state=BatchState.DONE)
        self.until(running.exists, "the import to begin")
        self._die()
        self.workers = self.start_workers()

    def delay_the_status(self) -> None:
        self.deployment.fault("delay", method="GET", path=_STATUS, times=1, seconds=_LONG)

    def kill_while_it_asks(self) -> None:
        """Every worker dies when Zuora has been asked how the import goes, and has not answered."""
        self.until(lambda: not self.deployment.faults_left(_STATUS), "Zuora to be asked how it goes")
        self._die()
        self.workers = self.start_workers()

    def delay_the_reading(self) -> None:
        self.deployment.fault("delay", method="POST", path=_QUERY, times=1, seconds=_LONG)

    def kill_while_it_reads_back(self) -> None:
        """Every worker dies when Zuora was asked for what the import brought, and has not shown it."""
        self.until(lambda: not self.deployment.faults_left(_QUERY), "Zuora to be asked what it has")
        self._die()
        self.workers = self.start_workers()

    def fail_the_import(self) -> None:
        """One row is wrong: Zuora imports none, and every record goes by Actions but that one, until it is mended."""
        charge = UsageCharge.objects.order_by("-pk")[0]
        UsageCharge.objects.filter(pk=charge.pk).update(unit=WRONG_UNIT)

    def mend_the_row(self) -> None:
        """Wait until only the wrong row is left, give its charge the right unit again, and have it retried."""
        failed = UsageRecord.objects.filter(state=UsageState.FAILED)
        others = UsageRecord.objects.exclude(state__in=[UsageState.FAILED, UsageState.CONFIRMED])
        self.until(lambda: failed.exists() and not others.exists(), "all but the wrong row")
        right = UsageCharge.objects.exclude(unit=WRONG_UNIT)[0].unit
        UsageCharge.objects.filter(unit=WRONG_UNIT).update(unit=right)
        retry(records=list(failed.values_list("pk", flat=True)), actor=None, now=datetime.now(UTC))

    def _die(self) -> None:
        for worker in self.workers:
            worker.kill()

    # --- The bill -----------------------------------------------------------------------------------------------------
    def bill(self) -> dict[str, Any]:
        """Let the stand-in bill all that was used; return what it is in all.

        Raises:
            RuntimeError: a record is there twice, or not at all, or somebody is billed something else than was used.
        """
        keys = Counter(row["Description"] for row in self.deployment.rows("Usage"))
        records = UsageRecord.objects.count()
        if set(keys.values()) != {1} or len(keys) != records:
            raise RuntimeError(
                f"Of {records} records {len(keys)} are in Zuora, the first of them {keys.most_common(1)}."
            )
        due = (datetime.now(UTC) + timedelta(days=62)).date().isoformat()
        self.deployment.control("POST", "bill-run", {"date": due})
        billed = defaultdict[str, Decimal](Decimal)
        for item in self.deployment.rows("InvoiceItem"):
            if item.get("Usage"):
                billed[item["SubscriptionNumber"]] += Decimal(str(item["Quantity"]))
        wanted = defaultdict[str, Decimal](Decimal)
        for ref_id, quantity in Slice.objects.values_list("subscription__ref_id", "quantity"):
            wanted[f"stigg--{ref_id}"] += quantity
        if billed != wanted:
            wrong = {number for number in {**billed, **wanted} if billed[number] != wanted[number]}
            raise RuntimeError(f"{len(wrong)} subscriptions are billed wrongly, for example {sorted(wrong)[:3]}.")
        return {"records": records, "subscriptions": len(billed), "billed": sum(billed.values())}


#: What is broken before the usage goes, and what comes between while it goes.
MISHAPS: dict[str, tuple[Callable[[FileRoad], None] | None, Callable[[FileRoad], None] | None]] = {
    "its answer lost twice": (FileRoad.lose_the_answer, None),
    "no tenant there twice": (FileRoad.fail_to_arrive, None),
    "killed while it uploads": (FileRoad.stop_the_tenant, FileRoad.kill_while_it_uploads),
    "killed before it knows the import": (FileRoad.delay_the_answer, FileRoad.kill_before_it_knows),
    "killed while Zuora imports": (None, FileRoad.kill_while_it_imports),
    "killed while it asks how it goes": (FileRoad.delay_the_status, FileRoad.kill_while_it_asks),
    "killed while it reads back": (FileRoad.delay_the_reading, FileRoad.kill_while_it_reads_back),
    "its import failed": (FileRoad.fail_the_import, FileRoad.mend_the_row),
}
