from pathlib import Path

import pytest

from stigg_zuora.environment import Environment


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(Environment.ENVIRON, "cache", False)
    return Environment()


def test_a_secret_may_stand_in_a_file(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("$from-a-file\n")
    monkeypatch.setenv("MADE_UP_FILE", str(tmp_path / "secret"))

    assert env("MADE_UP", default="") == "$from-a-file"
    assert env.unreadable == {}


def test_a_file_that_is_not_there_is_a_mistake_with_a_name(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADE_UP_FILE", "/nowhere/at/all")

    assert env("MADE_UP", default="") == ""
    assert env.unreadable == {"MADE_UP": "MADE_UP_FILE names a file that cannot be read: No such file or directory"}


def test_mistakes_are_collected_and_defaults_taken(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"A_NUMBER": "many", "A_SWITCH": "perhaps", "A_CHOICE": "both", "A_BASE": "oracle://x"}.items():
        monkeypatch.setenv(name, value)

    assert env.int("A_NUMBER", default=3) == 3
    assert env.bool("A_SWITCH", default=True) is True
    assert env.choice("A_CHOICE", choices=("this", "that")) == "this"
    assert env.database("A_BASE", default="sqlite:///x")["NAME"] == "x"
    assert env.unreadable == {
        "A_NUMBER": "'many' is not a number",
        "A_SWITCH": "'perhaps' is neither true nor false",
        "A_CHOICE": "'both' is none of this, that",
        "A_BASE": "it does not begin with postgres:// or sqlite:///",
    }


@pytest.mark.parametrize(
    ("written", "read"), [("true", True), ("1", True), ("YES", True), ("false", False), ("0", False), ("", False)]
)
def test_a_switch_is_read(env: Environment, monkeypatch: pytest.MonkeyPatch, written: str, read: bool) -> None:
    monkeypatch.setenv("A_SWITCH", written)

    assert env.bool("A_SWITCH", default=not read) is read
    assert env.unreadable == {}


def test_a_database_password_with_special_characters_is_percent_encoded(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_BASE", "postgres://user:p%40ss%2Fword@db.example:5433/name")

    found = env.database("A_BASE", default="sqlite:///x")

    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"], found["NAME"]) == (
        "user",
        "p@ss/word",
        "db.example",
        5433,
        "name",
    )
