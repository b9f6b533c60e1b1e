"""The curl command of a recorded exchange, read as a shell reads it."""

import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations.curl import curl_of
from integrations.models import Request
from integrations.zuora.body import KEPT_CHARACTERS

URL = "https://rest.na.zuora.com"


def exchange(**values: Any) -> Request:
    fields = {"method": "GET", "path": "/v1/catalog/products?pageSize=1", "duration_ms": 1, **values}
    return Request(started_at=datetime(2026, 1, 1, tzinfo=UTC), **fields)


def words(command: str) -> list[str]:
    """Return what a shell would give to curl."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    variables = {"ZUORA_TOKEN": "token", "ZUORA_REST_URL": "https://of.the.shell"}
    done = subprocess.run(["/bin/sh", "-c", script], env=variables, capture_output=True, check=True)  # noqa: S603 - ours
    return done.stdout.decode().split("\0")[:-1]


def test_reading_has_an_address_and_a_token_of_the_shells() -> None:
    assert curl_of(exchange(), rest_url=URL) == (
        "curl --request GET 'https://rest.na.zuora.com/v1/catalog/products?pageSize=1' \\\n"
        '  --header "Authorization: Bearer $ZUORA_TOKEN" \\\n'
        "  --header 'Zuora-Version: 2025-08-12'"
    )


def test_creating_repeats_the_same_bytes_under_the_same_key() -> None:
    body = '{"Name":"Ada\'s $HOME `plan` \\\\ €"}'
    command = curl_of(
        exchange(method="POST", path="/v1/object/product", body=body, idempotency_key="k-1"), rest_url=URL
    )
    assert words(command) == [
        "--request",
        "POST",
        f"{URL}/v1/object/product",
        "--header",
        "Authorization: Bearer token",
        "--header",
        "Zuora-Version: 2025-08-12",
        "--header",
        "X-Zuora-WSDL-Version: 133",
        "--header",
        "Idempotency-Key: k-1",
        "--header",
        "Content-Type: application/json",
        "--data-raw",
        body,
    ]
    assert "#" not in command


@pytest.mark.parametrize("path", ["/v1/x'; rm -rf ~; '", "/v1/x $(id)", "/v1/x\n# hidden"])
@pytest.mark.parametrize("rest_url", [URL, ""])
def test_no_part_escapes_its_word(path: str, rest_url: str) -> None:
    assert words(curl_of(exchange(path=path), rest_url=rest_url))[2] == (rest_url or "https://of.the.shell") + path


def test_logging_in_carries_no_token_and_says_what_to_fill_in() -> None:
    command = curl_of(
        exchange(method="POST", path="/oauth/token", body="client_id=a&client_secret=[hidden]"), rest_url=URL
    )
    assert command.startswith("# Secrets are not kept: fill in what says [hidden] first.\n# Running this changes")
    assert "ZUORA_TOKEN" not in command
    assert "'Content-Type: application/x-www-form-urlencoded'" in command


def test_a_change_without_a_key_and_a_cut_body_are_remarked_on() -> None:
    command = curl_of(exchange(method="PUT", path="/v1/object/product/1", body="x" * (KEPT_CHARACTERS + 6)))
    assert command.splitlines()[:2] == [
        "# The body was too long to be kept whole: it ends early.",
        "# Running this changes Zuora once more.",
    ]
