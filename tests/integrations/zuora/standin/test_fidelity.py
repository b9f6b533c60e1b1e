"""FIDELITY.md is kept in step: it names tests that exist, and every switch."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from integrations.zuora import standin
from integrations.zuora.standin.switches import Switches

TEXT = Path(standin.__file__).with_name("FIDELITY.md").read_text()
# Switches that are no question of fidelity but of what the demo tenant holds.
CONTENT = {"currencies", "default_currency", "allow_blank_accounting_codes"}


def rows() -> list[list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")
    ]
    return [row for row in cells if row[0] != "Behaviour" and not row[0].startswith("---")]


def test_each_row_has_its_five_cells_and_a_kind() -> None:
    words = ("documented", "observed", "assumed", "disputed", "deliberate", "not there", "always 0", "both")
    assert [row[0] for row in rows() if len(row) != 5 or not any(word in row[2] for word in words)] == []


def test_each_test_it_names_exists() -> None:
    named = {name for row in rows() for name in re.findall(r"test_\w+", row[4])}
    assert {name for name in named if not Path(__file__).with_name(f"{name}.py").exists()} == set()


def test_each_switch_is_named_and_each_name_is_a_switch() -> None:
    named = {name for row in rows() for name in re.findall(r"`(\w+)`", row[3])} - {"timeout"}
    assert named == {one.name for one in fields(Switches)} - CONTENT
