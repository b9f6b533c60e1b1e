"""`manage.py import_usage`: a file of usage, as often as one likes."""

import fcntl
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from integrations.management.commands import import_usage
from tests.factories.customers import CustomerFactory
from tests.factories.usage import MeteredFeatureFactory
from usage import reporting
from usage.models import DirtyHour, UsageEvent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _known() -> None:
    CustomerFactory.create(ref_id="acme")
    MeteredFeatureFactory.create(ref_id="api-calls")


def line(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "customerId": "acme",
        "featureId": "api-calls",
        "value": 1,
        "idempotencyKey": f"k{number}",
        "createdAt": "2026-03-01T10:00:00Z",
    } | fields


def jsonl(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
    return path


def stored() -> list[tuple[Any, ...]]:
    return list(
        UsageEvent.objects.order_by("idempotency_key").values_list(
            "idempotency_key", "event_name", "update_behavior", "value", "resource_id", "dimensions", "occurred_at"
        )
    )


AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


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


def test_wrong_lines_are_named_left_out_and_end_it_with_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = jsonl(
        tmp_path / "usage.jsonl",
        [
            line(1),
            "{",
            "[]",
            line(4, customerId="nobody"),
            line(5, value="many"),
            line(6, idempotencyKey=None),
            line(7, createdAt=None),
            line(8),
            line(8, resourceId="another"),
        ],
    )

    with pytest.raises(CommandError, match="Correct the wrong lines"):
        call_command("import_usage", str(file))

    assert [row[0] for row in stored()] == ["k1", "k8"]
    printed = capsys.readouterr()
    assert printed.out == "2 stored, 0 there already, 7 wrong.\n"
    assert [one.partition(":")[0] for one in printed.err.splitlines()] == [f"Line {n}" for n in (2, 3, 4, 5, 6, 7, 9)]
    assert "Line 4: No customer has the id 'nobody'" in printed.err
    assert "Line 9: Its idempotency key 'k8' was used for other usage" in printed.err


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_bytes(json.dumps(line(1)).encode() + b"\n" + json.dumps(line(2)).encode().replace(b"acme", b"\xffcme"))

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert [row[0] for row in stored()] == ["k1"]
    assert "Line 2: customerId has characters that no database holds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "read"),
    [("1.5", "1.5"), (" +1e3 ", "1000"), (".5", "0.5"), ("0.30000000000000004", "0.3")],
)
def test_a_number_is_what_spreadsheets_write(tmp_path: Path, value: str, read: str) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(f"{','.join(line(1))},\nacme,api-calls,{value},k1,2026-03-01T10:00:00Z,\n")

    call_command("import_usage", str(file))

    assert [row[3] for row in stored()] == [Decimal(read)]


@pytest.mark.parametrize("value", ["1_000", "1 000", "'1", "１２", "NaN", "1e99999999999999999999"])  # noqa: RUF001
def test_what_only_python_takes_for_a_number_is_a_wrong_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(f"{','.join(line(1))}\nacme,api-calls,{value},k1,2026-03-01T10:00:00Z\n")

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert stored() == []
    assert f"Line 2: value is no number: {value!r}." in capsys.readouterr().err


def test_dimensions_that_are_a_list_of_pairs_are_a_wrong_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(
        f"{','.join(line(1))},dimensions\n"
        'acme,api-calls,1,k1,2026-03-01T10:00:00Z,"[[""a"", ""b""]]"\n'
        'acme,api-calls,1,k2,2026-03-01T10:00:00Z,"{""a"": ""b""}"\n'
    )

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert [(row[0], row[5]) for row in stored()] == [("k2", {"a": "b"})]
    assert "Line 2: dimensions is no JSON object." in capsys.readouterr().err


def test_a_name_or_a_number_that_means_nothing_is_a_wrong_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    far = json.dumps(line(2)).replace('"value": 1', '"value": 1e99999999999999999999')
    file = jsonl(tmp_path / "usage.jsonl", [line(1, update_behavior="SET"), far, line(3, updated=None)])

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert [row[0] for row in stored()] == ["k3"]
    printed = capsys.readouterr().err
    assert "Line 1: 'update_behavior': not known here." in printed
    assert "Line 2: The value Infinity is not a number that can be counted" in printed


def test_two_runs_of_one_file_do_not_write_one_checkpoint(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(1)])

    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match=r"Another run is importing usage\.jsonl: wait for its end\."):
            call_command("import_usage", str(file))
    assert stored() == []

    call_command("import_usage", str(file))
    assert len(stored()) == 1


def test_a_dry_run_checks_and_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(1), line(2, featureId="nothing")])

    with pytest.raises(CommandError):
        call_command("import_usage", str(file), "--dry-run")

    assert stored() == []
    assert capsys.readouterr().out == "1 would be stored, 0 there already, 1 wrong.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["usage.jsonl"]


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

    with pytest.raises(CommandError, match=r"is not the file that usage\.jsonl\.checkpoint is of: give --restart"):
        call_command("import_usage", str(file))
    checkpoint.write_text("[]")
    with pytest.raises(CommandError, match="cannot be read: delete it, or give --restart"):
        call_command("import_usage", str(file))
    assert stored() == []

    call_command("import_usage", str(file), "--restart")
    assert len(stored()) == 3
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("usage.txt", b"", "ends neither in .csv nor in .jsonl"),
        ("usage.csv.gz", b"\x1f\x8b", "usage.csv.gz is packed: unpack it first"),
        ("usage.csv", b"a,b\n1,2\n", "The first line does not name the columns"),
        ("usage.csv", b"", "The first line does not name the columns"),
        ("usage.csv", b'customerId,idempotencyKey\n"a" b,c\n', "Line 2 is not CSV"),
        (
            "usage.csv",
            b'customerId,idempotencyKey\na,b\n"c,d\ne,f\n',
            "Lines 3 to 4 are not CSV: unexpected end of data",
        ),
        (
            "usage.csv",
            b"customerId,idempotencyKey,update_behavior,resourceID\n",
            "names columns that mean nothing here: 'update_behavior', 'resourceID'",
        ),
        ("usage.csv", b"customerId,idempotencyKey,value,value\n", "names 'value' more than once: which one counts"),
        ("usage.jsonl", b"x" * (1024 * 1024), "Line 1 is longer than 1,048,576 bytes"),
        ("nothing.jsonl", None, "No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(CommandError, match=message):
        call_command("import_usage", str(tmp_path / name))


def test_it_says_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(i) for i in range(2000)])

    with mock.patch.object(import_usage, "time") as clock:
        clock.monotonic.side_effect = [0.0, 10.0, 20.0]
        call_command("import_usage", str(file))

    first, last = capsys.readouterr().err.splitlines()
    assert first == "[##############                ]  50%  1,000 lines, 100/s, 0:00:10 left"
    assert last == "[##############################] 100%  2,000 lines, 100/s, 0:00:00 left"
