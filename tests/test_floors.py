"""The import contracts of pyproject.toml: kept by the code, and broken by each thing that they are there to prevent."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("catalog", "customers", "subscriptions", "usage", "integrations", "stigg_zuora")


def lint_imports(root: Path) -> "subprocess.CompletedProcess[str]":
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


def test_the_contracts_are_kept() -> None:
    done = lint_imports(ROOT)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("catalog/models/product.py", "import integrations.models", "The project stands on integrations"),
        ("customers/models.py", "import catalog.models", "catalog and customers are strangers"),
        ("integrations/eligibility.py", "import integrations.delivery", "The floors of integrations"),
        ("integrations/somewhere.py", "", "The floors of integrations"),
        ("integrations/zuora/mapping/keys.py", "import integrations.zuora.client", "Mapping is pure"),
        ("integrations/zuora/client/wire.py", "import catalog.models", "The client speaks HTTP and knows no model"),
        ("integrations/delivery.py", "import requests", "Only the client and its login speak HTTP"),
        ("integrations/outbox.py", "import celery", "Only the tasks and the Celery application know Celery"),
        ("integrations/tasks.py", "import integrations.zuora.standin.app", "Nothing imports the stand-in"),
        ("integrations/zuora/standin/clock.py", "import django.utils.timezone", "The stand-in imports nothing of ours"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, module: str, line: str, contract: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "*.tsv"))
    with (tmp_path / module).open("a") as file:
        file.write(f"\n{line}\n")

    done = lint_imports(tmp_path)

    broken = " ".join(done.stdout.partition("Broken contracts")[2].split())
    assert done.returncode == 1
    assert contract in broken
