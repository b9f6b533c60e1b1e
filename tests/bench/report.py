"""The tables that `python -m tests.bench` prints."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows under their head, the first column flush left and the others flush right."""
    lines = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    )


def standin_table(results: Iterable[Mapping[str, Any]]) -> str:
    head = ["The stand-in by itself", "connections", "requests", "per second", "p99 ms"]
    rows = ([one["case"], one["connections"], one["requests"], one["per_second"], one["p99_ms"]] for one in results)
    return table(head, rows) + "\n"


def import_table(results: Iterable[Mapping[str, Any]]) -> str:
    head = ["Import from Stigg", "rows", "saved", "seconds", "rows/s", "processor s", "peak MB"]
    names = ("case", "rows", "saved", "seconds", "per_second", "processor_seconds", "peak_mb")
    return table(head, ([one[name] for name in names] for one in results)) + "\n"


def pages_table(found: Mapping[str, Any]) -> str:
    head = ["The server's time of a page", "queries", "processor ms", "best ms", "p50 ms", "p95 ms", ""]
    limit = found["limit_ms"]
    rows = [
        [
            name,
            *(one[figure] for figure in ("queries", "processor_ms", "best_ms", "p50_ms", "p95_ms")),
            _verdict(one, limit),
        ]
        for name, one in found["pages"].items()
    ]
    slow = [name for name, one in found["pages"].items() if one["p50_ms"] > limit]
    counted = ", ".join(f"{name} {took}" for name, took in found["figures_ms"].items())
    return (
        f"{table(head, rows)}\n\n{found['customers']:,} customers and as many records, usage records, requests and "
        f"lines of the audit log; filled in {found['fill_seconds']} seconds.\n"
        f"What a worker counts beside the pages, in ms: {counted}. What takes less than {found['worth_ms']} "
        "is counted by the pages.\n"
        f"Longer than {limit} ms by the median: {', '.join(slow) or 'none'}.\n"
        "What is far above the processor's time waited for a processor: the machine was busy.\n"
    )


def _verdict(one: Mapping[str, Any], limit: float) -> str:
    if one["p50_ms"] > limit:
        return "TOO LONG"
    return "p95 too long" if one["p95_ms"] > limit else ""


def sync_table(found: Mapping[str, Any]) -> str:
    where = f"{found['workers']} x {found['threads']} threads, {found['database']}, {found['cores']} cores"
    idle, busy, memory = found["latency_idle"], found["latency_busy"], found["worker_mb"]
    saves = table(
        [f"From a save's commit to Zuora ({where})", "saves", "p50 ms", "p95 ms", "p99 ms"],
        [
            ["idle, one save at a time", *(idle[name] for name in ("saves", "p50_ms", "p95_ms", "p99_ms"))],
            [
                f"{busy['saves_per_second']} saves a second",
                *(busy[name] for name in ("saves", "p50_ms", "p95_ms", "p99_ms")),
            ],
        ],
    )
    pushes = table(
        [
            f"Initial push ({where})",
            *("calls", "seconds", "calls/s", "at once", "ideal s", "of ideal", "sequential SDK s", "times faster"),
        ],
        [_push(f"{found[name]['entities']} {what}", found[name]) for name, what in _PUSHES.items()],
    )
    notes = [
        f"Each save waits {idle['settle_window_ms']} ms for others that would be sent with it; that is in the figures.",
        *(
            f"{name}: at most {one['allowed_concurrency']['calls']} calls at once, "
            f"by {one['allowed_concurrency']['by']}, which would be {one['calls'] / one['ideal_seconds']:.0f} calls/s; "
            f"{_processor(one, found['cores'])} The sequential script made "
            f"{one['peer']['sample_calls']} calls ({one['peer']['calls_per_second']}/s) and is extrapolated. "
            f"Deliveries by outcome: {', '.join(f'{count} {name}' for name, count in one['deliveries'].items())}."
            for name in _PUSHES
            for one in [found[name]]
        ),
        f"The largest worker holds {memory['now']} MB after the pushes, and held {memory['peak']} MB at its peak.",
    ]
    return "\n\n".join([saves, pushes, "\n".join(notes)]) + "\n"


_PUSHES = {"plans": "plans (1 period, 1 charge)", "customers": "customers with a subscription"}


def budgets_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Return the same pushes, smaller, with other numbers of calls at once."""
    names = ("calls", "seconds", "calls/s", "at once", "ideal s", "of ideal", "bound/s")
    rows = [
        [
            f"{one[name]['entities']} {what}",
            *(one[name]["calls"], one[name]["seconds"], one[name]["calls_per_second"]),
            *(one[name]["allowed_concurrency"]["calls"], one[name]["ideal_seconds"]),
            *(f"{one[name]['share_of_ideal']:.0%}", f"{_bound(one[name], one['cores']):.0f}"),
        ]
        for one in found
        for name, what in _PUSHES.items()
    ]
    note = "bound/s: so many calls a second the machine's cores can carry at what one costs, however many are allowed."
    return f"{table(['Initial push with other budgets', *names], rows)}\n\n{note}\n"


def _bound(one: Mapping[str, Any], cores: int) -> float:
    """Return how many calls a second the cores can carry at most."""
    return float(cores * 1000 / sum(one["cpu_ms_per_call"].values()))


def _processor(one: Mapping[str, Any], cores: int) -> str:
    """Return what a call costs, and how many of such calls the cores can carry at most."""
    cost = one["cpu_ms_per_call"]
    parts = ", ".join(f"{who} {milliseconds} ms" for who, milliseconds in cost.items())
    return (
        f"processor time a call: {parts}, {sum(cost.values()):.1f} ms in all, with which this machine's {cores} cores "
        f"carry at most {_bound(one, cores):.0f} calls/s."
    )


def _push(name: str, one: Mapping[str, Any]) -> list[object]:
    sequential = one["peer"]["extrapolated_seconds"]
    return [
        name,
        *(one["calls"], one["seconds"], one["calls_per_second"], one["allowed_concurrency"]["calls"]),
        *(one["ideal_seconds"], f"{one['share_of_ideal']:.0%}", sequential, f"{sequential / one['seconds']:.1f}"),
    ]


def hourly_table(found: Mapping[str, Any]) -> str:
    """Return the hourly runs of usage, of a tenth of the subscriptions and of all."""
    where = f"{found['workers']} x {found['threads']} threads, {found['database']}, {found['cores']} cores"
    some, whole = found["runs"]
    peer, allowed = found["peer"], whole["allowed_concurrency"]
    rows = table(
        [
            f"The hourly run of usage ({where})",
            *("calls", "seconds", "to 1st call", "at once", "ideal s", "of ideal", "worker's peak MB"),
        ],
        [
            [
                f"{one['records']:,} records",
                *(sum(one["calls"].values()), one["seconds"], one["seconds_to_first_call"]),
                *(one["allowed_concurrency"]["calls"], one["ideal_seconds"], f"{one['share_of_ideal']:.0%}"),
                one["worker_mb"]["peak"],
            ]
            for one in (some, whole)
        ],
    )
    calls = ", ".join(f"{count} {name}" for name, count in whole["calls"].items())
    about_us = (
        f"Calls: {calls}; the charges' numbers are known. At most {allowed['calls']} at once, by {allowed['by']}; "
        f"{whole['most_in_flight']} were. {_processor(whole, found['cores'])} The seconds begin with the beat's task; "
        f"closing, planning and sending overlap."
    )
    about_peer = (
        f"A script over zuora-sdk with one record to a call made {peer['sample_calls']} calls "
        f"({peer['calls_per_second']}/s): extrapolated {peer['extrapolated_seconds']} s for {whole['records']:,} "
        f"records, {peer['extrapolated_seconds'] / whole['seconds']:.1f} times as long."
    )
    return f"{rows}\n\n{about_us}\n{about_peer}\n"


def roads_table(found: Mapping[str, Any]) -> str:
    """Return how long the same usage took by each road, and that nothing of it is billed twice or not."""
    where = f"{found['workers']} x {found['threads']} threads, {found['database']}, {found['cores']} cores"
    rows = (
        [
            *(one["case"], f"{one['records']:,}", sum(one["calls"].values()), one["seconds"]),
            *(one["cpu_seconds"][who] for who in ("workers", "database", "stand-in")),
        ]
        for one in found["cases"]
    )
    head = [f"New usage until it is shown ({where})", "records", "calls", "seconds"]
    calls = "\n".join(
        f"{one['case']}: {', '.join(f'{count} {name}' for name, count in sorted(one['calls'].items()))}."
        for one in found["cases"]
    )
    bill = found["bill"]
    proof = f"Billed, as was used: {bill['billed']} by {bill['records']:,} records of {bill['subscriptions']:,} sold."
    return f"{table([*head, 'workers s', 'database s', 'stand-in s'], rows)}\n\n{calls}\n{proof}\n"


def usage_table(cases: Iterable[Mapping[str, Any]]) -> str:
    """Return how usage came in, and what a thousand of it cost."""
    head = ["Usage coming in", "events", "per second", "p50 ms", "p95 ms", "web ms/1,000", "database ms/1,000"]
    return table(
        head,
        (
            [
                *(one["case"], f"{one['events']:,}", "" if one["per_second"] is None else f"{one['per_second']:,}"),
                *(one["median_ms"], one["p95_ms"], *(one["cpu_ms"].get(who, "") for who in ("web", "database"))),
            ]
            for one in cases
        ),
    )


def growth_table(found: Mapping[str, Any]) -> str:
    """Return what each case costs at each number of events, and what the largest is of the smallest."""
    sizes = found["sizes"]
    names = ("pages", "processor_ms", "ms")
    head = [
        "What usage costs",
        "statements",
        *(f"{name.replace('_', ' ')} at {size / 1e6:g} M" for name in names for size in sizes),
    ]
    rows = []
    for case in found["cases"][sizes[0]]:
        at = [found["cases"][size][case] for size in sizes]
        counts = dict.fromkeys(str(one["statements"]) for one in at)
        rows.append([case, " -> ".join(counts), *(f"{one[name]:,}" for name in names for one in at)])
    filled = "\n".join(
        f"{size:,} events: "
        + ", ".join(f"{one['rows']:,} {name} {one['mb']:,} MB" for name, one in how["tables"].items())
        + f"; filled in {how['seconds']} seconds."
        for size, how in found["filled"].items()
    )
    return f"{table(head, rows)}\n\n{filled}\n"
