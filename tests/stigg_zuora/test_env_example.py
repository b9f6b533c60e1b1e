import ast
import re
from pathlib import Path
from typing import Any

from stigg_zuora.environment import Environment

ROOT = Path(__file__).resolve().parents[2]


def settings_read() -> dict[str, Any]:
    """Return each variable that settings.py reads, with its default where that is a literal."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse((ROOT / "stigg_zuora/settings.py").read_text())):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        called = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        if isinstance(called, ast.Name) and called.id == "env":
            default = next((keyword.value for keyword in node.keywords if keyword.arg == "default"), None)
            found[str(node.args[0].value)] = default.value if isinstance(default, ast.Constant) else None
    return found


def test_the_example_lists_exactly_the_settings_that_are_read() -> None:
    listed = re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(settings_read())
    assert len(listed) == len(set(listed))


def test_the_example_shows_the_defaults() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.+)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    plain = {name: default for name, default in settings_read().items() if default not in (None, "")}

    shown = {name: Environment.parse_value(example[name], type(default)) for name, default in plain.items()}

    assert shown == plain


def test_every_setting_is_explained_by_a_comment_above_it() -> None:
    blocks = re.split(r"\n(?=#)", (ROOT / ".env.example").read_text())

    assert [line for line in blocks if re.match(r"[A-Z_]+=", line)] == []
