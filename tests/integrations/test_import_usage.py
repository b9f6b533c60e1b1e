"""`manage.py import_usage`: a file of usage, as often as one likes, and on from where a run was stopped."""

import fcntl
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from integrations.management.commands import import_usage
from tests.integrations.usage_lines import AT, jsonl, known, line, stored
from usage import reporting
from usage.models import DirtyHour

__all__ = ["known"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("known")]


def test_json_lines_hold_usage_and_raw_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = {
        "customerId": "acme",
        "eventName": "upload",
        "idempotencyKey": "e1",
        "timestamp": "2026-03-01T12:00:00+02:00",
        "dimensions": {"size": 0.1},
    }
    file = jsonl(tmp_path / "usage.jsonl", [line(1, value=2.5), "", event, line(2, updateBehavior="SET")])

    call_command("import_usage", str(file))

    assert stored() == [
        ("e1", "upload", "DELTA", None, "", {"size": 0.1}, AT),
        ("k1", "", "DELTA", Decimal("2.5"), "", {}, AT),
        ("k2", "", "SET", Decimal(1), "", {}, AT),
    ]
    assert DirtyHour.objects.get().hour == AT
    assert capsys.readouterr().out == "3 stored, 0 there already, 0 wrong.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["usage.jsonl"]


def test_csv_names_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(
        b"\xef\xbb\xbfcustomerId,featureId,eventName,value,idempotencyKey,createdAt,timestamp,resourceId,dimensions.region,dimensions\r\n"
        b"acme,api-calls,,2.000000001,k1,2026-03-01T10:00:00Z,,site-1,emea,\r\n"
        b'acme,,upload,,"a ""key"",\r\nof two lines",,2026-03-01T10:00:00Z,,,"{""size"": 3}"\r\n'
    )

    call_command("import_usage", str(file))

    assert stored() == [
        ('a "key",\r\nof two lines', "upload", "DELTA", None, "", {"size": 3}, AT),
        ("k1", "", "DELTA", Decimal("2.000000001"), "site-1", {"region": "emea"}, AT),
    ]


def test_reading_it_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(i) for i in range(1500)])
    call_command("import_usage", str(file))
    before = stored()

    call_command("import_usage", str(file))

    assert stored() == before
    assert capsys.readouterr().out.splitlines()[-1] == "0 stored, 1,500 there already, 0 wrong."


def test_a_line_that_says_something_else_of_what_is_stored_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"customerId": "acme", "eventName": "upload", "idempotencyKey": "e1", "timestamp": "2026-03-01T10:00:00Z"}
    call_command("import_usage", str(jsonl(tmp_path / "first.jsonl", [line(1, value=2.5), line(2), line(3), event])))
    changed = [
        line(1, value=3),
        line(2, createdAt="2026-03-01T11:00:00Z"),
        line(3, value=1.0, createdAt="2026-03-01T11:00:00+01:00"),
        event | {"timestamp": "2026-03-01T09:00:00Z"},
        line(5),
        line(5, value=4),
    ]

    call_command("import_usage", str(jsonl(tmp_path / "again.jsonl", changed)))

    assert [(row[0], row[3], row[6]) for row in stored()] == [
        ("e1", None, AT), ("k1", Decimal("2.5"), AT), ("k2", 1, AT), ("k3", 1, AT), ("k5", 1, AT),
    ]  # fmt: skip
    stays = "at 2026-03-01T10:00:00Z: it stays, and this line changes nothing."
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"Line 1: 'k1' is there already, with the value 2.5, {stays}",
        f"Line 2: 'k2' is there already, with the value 1, {stays}",
        f"Line 4: 'e1' is there already, {stays}",
        f"Line 6: 'k5' is there already, with the value 1, {stays}",
    ]
    assert printed.out.splitlines() == [
        "4 stored, 0 there already, 0 wrong.",
        "1 stored, 5 there already (4 of them otherwise), 0 wrong.",
        import_usage._OTHERWISE,
    ]


@pytest.mark.parametrize(
    ("value", "read"),
    [("1.5", "1.5"), (" +1e3 ", "1000"), (".5", "0.5"), ("0.30000000000000004", "0.3")],
)
def test_a_number_is_what_spreadsheets_write(tmp_path: Path, value: str, read: str) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(f"{','.join(line(1))},\nacme,api-calls,{value},k1,2026-03-01T10:00:00Z,\n")

    call_command("import_usage", str(file))

    assert [row[3] for row in stored()] == [Decimal(read)]


def test_two_runs_of_one_file_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(1)])

    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match=r"Another run is importing usage\.jsonl: wait for its end\."):
            call_command("import_usage", str(file))
    assert stored() == []

    call_command("import_usage", str(file))
    assert len(stored()) == 1


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    rows = [line(i) | ({"customerId": "nobody"} if i == 3 else {}) for i in range(2500)]
    file = tmp_path / f"usage.{form}"
    if form == "csv":
        file.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]))
    else:
        jsonl(file, rows)
    batches: list[int] = []

    def one_batch(**told: Any) -> Any:
        batches.append(len(told["reports"]))
        if len(batches) == 3:  # the first batch is stored again without its wrong line
            raise KeyboardInterrupt
        return reporting.report_usage(**told)

    with (
        mock.patch.object(import_usage, "report_usage", one_batch),
        pytest.raises(CommandError, match=r"Stopped after line 100[01]: run it again to go on") as stopped,
    ):
        call_command("import_usage", str(file))
    assert stopped.value.returncode == 130
    assert len(stored()) == 999

    with (
        mock.patch.object(import_usage, "report_usage", one_batch),
        pytest.raises(CommandError, match="Correct the wrong lines"),
    ):
        call_command("import_usage", str(file))

    assert batches == [1000, 999, 1000, 1000, 500]
    assert len(stored()) == 2499
    assert capsys.readouterr().out == "2,499 stored, 0 there already, 1 wrong.\n"
    assert [path.name for path in tmp_path.iterdir()] == [f"usage.{form}"]


def test_a_checkpoint_of_another_file_is_not_gone_on_from(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(i) for i in range(3)])
    checkpoint = tmp_path / "usage.jsonl.checkpoint"
    checkpoint.write_text(json.dumps({"new": 1, "offset": 50, "line": 1, "fingerprint": "made up"}))

    with pytest.raises(CommandError, match=r"is not the file that usage\.jsonl\.checkpoint is of, or has changed"):
        call_command("import_usage", str(file))
    checkpoint.write_text("[]")
    with pytest.raises(CommandError, match="cannot be read: delete it, or give --restart"):
        call_command("import_usage", str(file))
    assert stored() == []

    call_command("import_usage", str(file), "--restart")
    assert len(stored()) == 3
    assert not checkpoint.exists()


def test_it_says_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(i) for i in range(2000)])

    with mock.patch.object(import_usage, "time") as clock:
        clock.monotonic.side_effect = [0.0, 10.0, 20.0]
        call_command("import_usage", str(file))

    first, last = capsys.readouterr().err.splitlines()
    assert first == "[##############                ]  50%  1,000 lines, 100/s, 0:00:10 left"
    assert last == "[##############################] 100%  2,000 lines, 100/s, 0:00:00 left"
