"""Any sequence of valid calls keeps what must always hold, and bills what a second calculation says."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from integrations.zuora.standin.app import create_app
from tests.integrations.zuora.standin.driver import Driver, create_action, usage_body, usd

TIERS = [(0, 10, Decimal(5)), (11, 20, Decimal(3)), (21, None, Decimal(1))]
TARGET = date(2026, 6, 1)
CENT = Decimal("0.01")
days = st.dates(date(2026, 1, 1), date(2026, 5, 31))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


def months(first: date, last: date) -> list[tuple[date, date]]:
    """Whole calendar months that touch the days from `first` up to `last`."""
    found, start = [], first.replace(day=1)
    while start < last:
        end = (start + timedelta(days=32)).replace(day=1)
        found.append((start, end))
        start = end
    return found


def graduated(quantity: Decimal) -> Decimal:
    """The tiers' price, unit by unit of what lies between their edges."""
    edges = [(Decimal(0), Decimal(10), 5), (Decimal(10), Decimal(20), 3), (Decimal(20), None, 1)]
    return sum(
        (
            max(min(quantity, top if top is not None else quantity) - bottom, Decimal(0)) * price
            for bottom, top, price in edges
        ),
        Decimal(0),
    )


class Tenant(RuleBasedStateMachine):
    """Subscriptions of one plan: a flat fee, seats, and tiered usage, all by the calendar month."""

    subscriptions = Bundle("subscriptions")

    def __init__(self) -> None:
        super().__init__()
        self.app = create_app(start=datetime(2026, 6, 1, tzinfo=UTC))
        self.app.control.set_switches(rate_limits=[10**9] * 3)
        self.zuora = Driver(self.app)
        self.count = 0
        # What the test itself knows: start, seats by day, end, usage by day.
        self.known: dict[str, dict[str, Any]] = {}
        self.prices = {"fee": Decimal(100), "seats": Decimal(10)}

    def teardown(self) -> None:
        self.app.close()

    @initialize(target=subscriptions, start=days)
    def catalog(self, start: date) -> str:
        self.zuora.unit()
        plan = self.zuora.plan(self.zuora.product())
        self.zuora.charge(plan, "fee", [usd(100)])
        self.zuora.charge(plan, "seats", [usd(10)], ChargeModel="Per Unit Pricing", UOM="calls", DefaultQuantity=1)
        tiers = [usd(price, StartingUnit=low, EndingUnit=high) for low, high, price in TIERS]
        self.zuora.charge(plan, "calls", tiers, ChargeModel="Tiered Pricing", ChargeType="Usage", UOM="calls")
        self.zuora.account()
        return self._subscribed(start)

    @rule(target=subscriptions, start=days)
    def subscribe(self, start: date) -> str:
        return self._subscribed(start)

    def _subscribed(self, start: date) -> str:
        self.count += 1
        number = f"sub-{self.count}"
        reply = self.zuora.order(create_action(number, "basic-month", months=24), day=start.isoformat())
        assert reply.status == 200, reply.body
        self.known[number] = {
            "start": start,
            "seats": {start: 1},
            "end": None,
            "usage": [],
            "prices": dict(self.prices),
        }
        return number

    @rule(number=subscriptions, day=days, seats=st.integers(0, 50))
    def change_seats(self, number: str, day: date, seats: int) -> None:
        known = self.known[number]
        update = {
            "chargeNumber": self.zuora.charge_number("seats", number),
            "pricing": {"recurringPerUnit": {"quantity": seats}},
        }
        member = {"productRatePlanNumber": "basic-month", "chargeUpdates": [update]}
        reply = self.zuora.order(
            {"type": "UpdateProduct", "updateProduct": member}, subscription=number, day=day.isoformat()
        )
        if known["end"] is not None or day < known["start"]:
            assert reply.status == 400
            return
        assert reply.status == 200, reply.body
        known["seats"] = {when: count for when, count in known["seats"].items() if when < day} | {day: seats}

    @rule(number=subscriptions, day=days)
    def cancel(self, number: str, day: date) -> None:
        known = self.known[number]
        member = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": day.isoformat()}
        reply = self.zuora.order({"type": "CancelSubscription", "cancelSubscription": member}, subscription=number)
        if known["end"] is not None or day < known["start"]:
            assert reply.status == 400
            return
        assert reply.status == 200, reply.body
        known["end"] = day

    @rule(number=subscriptions, day=days, quantity=st.decimals(0, 40, places=2))
    def use(self, number: str, day: date, quantity: Decimal) -> None:
        body = usage_body(
            self._charge(number), SubscriptionNumber=number, Quantity=quantity, StartDateTime=f"{day}T12:00:00+00:00"
        )
        usage = self.zuora.made("/v1/object/usage", body)
        self.known[number]["usage"].append((day, quantity, usage))

    def _charge(self, number: str) -> str:
        """The usage charge's number, of a cancelled subscription too."""
        return self.zuora.charge_number("calls", number)

    @rule(price=st.integers(1, 500))
    def reprice(self, price: int) -> None:
        charge = next(one for one in self.app.control.rows("ProductRatePlanCharge") if one["Name"] == "fee")
        tier = next(
            one
            for one in self.app.control.rows("ProductRatePlanChargeTier")
            if one["ProductRatePlanChargeId"] == charge["Id"]
        )
        assert (
            self.zuora.call("PUT", f"/v1/object/product-rate-plan-charge-tier/{tier['Id']}", {"Price": price}).status
            == 200
        )
        self.prices["fee"] = Decimal(price)

    @rule()
    def twice_the_same(self) -> None:
        reply = self.zuora.order(create_action("sub-1", "basic-month"))
        assert reply.codes == [58730030]

    def _expected(self, known: dict[str, Any]) -> Decimal:
        """What the subscription owes by the target, worked out from what was asked for and nothing else."""
        start, end = known["start"], known["end"] or date(2026, 6, 30)
        total = Decimal(0)
        for low, high in months(start, max(end, start)):
            first, last = max(low, start), min(high, known["end"] or high)
            if first >= last or first > TARGET:
                continue
            share = Decimal((last - first).days) / Decimal((high - low).days)
            total += cents(known["prices"]["fee"] * share)
            edges = sorted({first, last, *(day for day in known["seats"] if first < day < last)})
            for low_edge, high_edge in pairwise(edges):
                if low_edge <= TARGET:
                    seats = known["seats"][max(day for day in known["seats"] if day <= low_edge)]
                    part = Decimal((high_edge - low_edge).days) / Decimal((high - low).days)
                    total += cents(seats * known["prices"]["seats"] * part)
            if last <= TARGET:
                used = sum((quantity for day, quantity, _ in known["usage"] if first <= day < last), Decimal(0))
                total += cents(graduated(used))
        return total

    @invariant()
    def money_is_right(self) -> None:
        """Lines due by the target come to the second calculation's total, and an invoice is the sum of its lines."""
        self.app.control.snapshot()
        self.app.control.bill_run(TARGET)
        items = self.app.control.rows("InvoiceItem")
        sums: Counter[str] = Counter()
        for item in items:
            sums[item["InvoiceId"]] += item["ChargeAmount"]
        for invoice in self.app.control.rows("Invoice"):
            assert invoice["Amount"] == sums[invoice["Id"]]
        wanted = sum((self._expected(known) for known in self.known.values()), Decimal(0))
        assert sum(sums.values()) == wanted
        self.app.control.restore()

    @invariant()
    def versions_and_keys_hold(self) -> None:
        rows = self.app.control.rows("Subscription")
        by_name: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_name.setdefault(row["Name"], []).append(row)
        assert set(by_name) == set(self.known)
        for versions in by_name.values():
            numbers = sorted(row["Version"] for row in versions)
            assert numbers == list(range(1, len(versions) + 1))
            latest = [row for row in versions if row["IsLatestVersion"]]
            assert [row["Version"] for row in latest] == [len(versions)]
            assert all(row["Status"] == "Expired" for row in versions if row is not latest[0])
        ids = [row["Id"] for row in rows] + [
            charge["Id"] for row in rows for plan in row["RatePlans"] for charge in plan["Charges"]
        ]
        assert len(ids) == len(set(ids))
        for row in rows:
            self._segments_follow(row)

    def _segments_follow(self, row: dict[str, Any]) -> None:
        for plan in row["RatePlans"]:
            by_number: dict[str, list[dict[str, Any]]] = {}
            for charge in plan["Charges"]:
                by_number.setdefault(charge["ChargeNumber"], []).append(charge)
            for segments in by_number.values():
                for before, after in pairwise(sorted(segments, key=lambda one: one["Segment"])):
                    assert (
                        before["EffectiveEndDate"] == after["EffectiveStartDate"]
                        or after["EffectiveStartDate"] > row["SubscriptionEndDate"]
                    )
                    assert before["EffectiveStartDate"] <= before["EffectiveEndDate"]

    @invariant()
    def tiers_stay_contiguous(self) -> None:
        rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for tier in self.app.control.rows("ProductRatePlanChargeTier"):
            rows.setdefault((tier["ProductRatePlanChargeId"], tier["Currency"]), []).append(tier)
        for tiers in rows.values():
            assert [tier["Tier"] for tier in tiers] == list(range(1, len(tiers) + 1))
            assert all(low["EndingUnit"] + 1 == high["StartingUnit"] for low, high in pairwise(tiers))


# Without shrinking: a failure is told as it was met, and a run stays within seconds.
Tenant.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=15,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
TestTenant = Tenant.TestCase
