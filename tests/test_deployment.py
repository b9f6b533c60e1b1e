"""The files by which the program is deployed: what can be checked of them without a container engine."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def test_the_compose_file_follows_the_published_schema(compose: dict[str, Any]) -> None:
    schema = json.loads((ROOT / "tests/vendor/compose-spec.json").read_text())

    assert [error.message for error in Draft202012Validator(schema).iter_errors(compose)] == []


def test_the_services_are_those_of_a_grown_up_deployment(compose: dict[str, Any]) -> None:
    profiles = {name: service.get("profiles", []) for name, service in compose["services"].items()}

    assert profiles == {
        "migrate": [],
        "web": [],
        "worker": [],
        "beat": [],
        "postgres": [],
        "redis": [],
        "zuora": ["demo"],
    }


def test_everything_that_serves_has_a_health_check(compose: dict[str, Any]) -> None:
    without = {name for name, service in compose["services"].items() if "healthcheck" not in service}

    assert without == {"migrate"}  # it ends


def test_migrations_run_once_and_first(compose: dict[str, Any]) -> None:
    commands = [str(service.get("command")) for service in compose["services"].values()]
    waiting = {
        name
        for name, service in compose["services"].items()
        if service.get("depends_on", {}).get("migrate") == {"condition": "service_completed_successfully"}
    }

    assert sum("migrate" in command for command in commands) == 1
    assert waiting == {"web", "worker", "beat"}


def test_the_worker_reads_every_queue_in_order_of_priority(compose: dict[str, Any]) -> None:
    assert "--queues=click,usage,changes,backfill" in compose["services"]["worker"]["command"]


def test_nothing_of_ours_runs_as_root_or_writes_where_it_should_not(compose: dict[str, Any]) -> None:
    ours = [service for service in compose["services"].values() if service.get("build")]

    assert len(ours) == 5
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours)
    assert re.findall(r"^USER (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE) == ["stigg-zuora"]


def test_no_secret_stands_in_a_deployment_file(compose: dict[str, Any]) -> None:
    environments = [service.get("environment", {}) for service in compose["services"].values()]
    secrets = [
        str(value)
        for environment in environments
        for name, value in environment.items()
        if re.search("PASSWORD|SECRET|KEY|DATABASE_URL", name)
    ]

    assert secrets
    assert [value for value in secrets if "${" not in value] == []


def test_the_image_gets_every_package_of_the_program() -> None:
    included = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}

    assert packages <= included
    assert {"manage.py", "requirements.lock", "static", "templates", "pyproject.toml"} <= included


def test_the_image_installs_by_hash() -> None:
    assert "pip install --require-hashes -r requirements.lock" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-demo.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_version_and_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = re.split(r"\n(?=\S)", text.strip())

    assert [
        package.splitlines()[0] for package in packages if "==" not in package or "--hash=sha256:" not in package
    ] == []
    assert "://" not in text


def test_what_the_demo_installs_is_a_part_of_what_the_tests_install() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements-demo.lock") <= pins("requirements-dev.lock")
