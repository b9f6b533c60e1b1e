"""What make says on a machine that lacks something, each time with a Python that only seems to lack it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
#: Fails where its arguments hold a word, and is this Python otherwise.
PRETENDER = """#!/bin/sh
case "$*" in *{word}*) exit 1;; esac
exec {python} "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path)
    return tmp_path


def make(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--silent", *arguments],  # noqa: S607 - the make that people type
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(checkout)},
    )


def pretender(checkout: Path, *, word: str) -> Path:
    path = checkout / "pretender"
    path.write_text(PRETENDER.format(word=word, python=sys.executable))
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench", "chaos", "lock"])
def test_without_venv_one_sentence_says_what_to_install(checkout: Path, target: str) -> None:
    python = pretender(checkout, word="ensurepip")

    done = make(checkout, target, f"PYTHON={python}")

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"{python} cannot make virtual environments: install them first (Debian, Ubuntu: apt install python3-venv)."
    )
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_one_sentence(checkout: Path) -> None:
    python = pretender(checkout, word="version_info")

    done = make(checkout, "demo", f"PYTHON={python}")

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        f"{python} is older than Python 3.11: install a newer one, or name one: make PYTHON=python3.11"
    )


def test_no_python_is_one_sentence(checkout: Path) -> None:
    done = make(checkout, "demo", "PYTHON=/nowhere/python3")

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "/nowhere/python3 was not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11"
    )


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to("/nowhere/python3")

    done = make(checkout, "python", f"PYTHON={sys.executable}")

    assert done.returncode == 0, done.stderr
    assert subprocess.run([checkout / ".venv/bin/python", "-m", "pip", "--version"], check=True).returncode == 0  # noqa: S603


def test_what_is_installed_already_is_not_installed_again(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    # It fails when pip is asked for, and when the demo is to start, so that nothing does.
    python = checkout / ".venv/bin/python"
    python.write_text('#!/bin/sh\necho "$@" >> asked\n')
    python.chmod(0o755)
    shutil.copy(checkout / "requirements-demo.lock", checkout / ".venv")

    make(checkout, "demo", "ONCE=1")
    with (checkout / "requirements-demo.lock").open("a") as lock:
        lock.write("# changed\n")
    make(checkout, "demo", "ONCE=0")

    asked = [line for line in (checkout / "asked").read_text().splitlines() if line.strip() not in {"-c", ""}]
    assert asked[0] == "-m stigg_zuora.demo --once"
    assert asked[1].startswith("-m pip install")
    assert asked[1].endswith("--require-hashes -r requirements-demo.lock")
    assert asked[2] == "-m stigg_zuora.demo"
