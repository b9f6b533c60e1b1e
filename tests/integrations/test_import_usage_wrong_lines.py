"""What is wrong in a file of usage: each line of it is named and left out, and a file that is none is refused."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.integrations.usage_lines import jsonl, known, line, stored

__all__ = ["known"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("known")]


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
    assert "Line 2: It is not JSON: Expecting property name enclosed in double quotes at character 2." in printed.err
    assert "Line 4: No customer has the id 'nobody'" in printed.err
    assert "Line 9: Its idempotency key 'k8' was used for other usage" in printed.err


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "usage.jsonl"
    file.write_bytes(json.dumps(line(1)).encode() + b"\n" + json.dumps(line(2)).encode().replace(b"acme", b"\xffcme"))

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert [row[0] for row in stored()] == ["k1"]
    assert "Line 2: customerId has characters that no database holds" in capsys.readouterr().err


def test_a_name_that_comes_twice_is_a_wrong_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = json.dumps(line(1))
    (tmp_path / "usage.jsonl").write_text(f'{written[:-1]}, "value": 2}}\n')
    header = f"{','.join(line(1))},dimensions,dimensions.region\nacme,api-calls,1"
    (tmp_path / "usage.csv").write_text(
        f'{header},k1,2026-03-01T10:00:00Z,"{{""region"": ""eu""}}",us\n'
        'acme,api-calls,1,k2,2026-03-01T10:00:00Z,"{""region"": ""eu"", ""region"": ""us""}",\n'
    )

    for name in ("usage.jsonl", "usage.csv"):
        with pytest.raises(CommandError):
            call_command("import_usage", str(tmp_path / name))

    assert stored() == []
    twice = "is given 2 times, and only one can count: give it once."
    assert capsys.readouterr().err.splitlines() == [
        f"Line 1: value {twice}", f"Line 2: dimensions.region {twice}", f"Line 3: dimensions.region {twice}",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["1_000", "1 000", "'1", "１２", "NaN", "1e99999999999999999999"])  # noqa: RUF001
def test_what_only_python_takes_for_a_number_is_a_wrong_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    file = tmp_path / "usage.csv"
    file.write_text(f"{','.join(line(1))}\nacme,api-calls,{value},k1,2026-03-01T10:00:00Z\n")

    with pytest.raises(CommandError):
        call_command("import_usage", str(file))

    assert stored() == []
    advice = "Write it as 1234.5, with nothing between its thousands."
    assert f"Line 2: value is no number: {value!r}. {advice}" in capsys.readouterr().err


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


def test_a_dry_run_checks_and_stores_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jsonl(tmp_path / "usage.jsonl", [line(1), line(2, featureId="nothing")])

    with pytest.raises(CommandError):
        call_command("import_usage", str(file), "--dry-run")

    assert stored() == []
    assert capsys.readouterr().out == "1 would be stored, 0 there already, 1 wrong.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["usage.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("usage.txt", b"", "ends neither in .csv nor in .jsonl"),
        ("usage.csv.gz", b"\x1f\x8b", "usage.csv.gz is packed: unpack it first"),
        (
            "usage.csv",
            b"customerId;idempotencyKey\na;b\n",
            "The first line does not name the columns, with commas between them and in UTF-8: createdAt,",
        ),
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
