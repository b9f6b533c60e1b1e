"""What the API knows: every operation of the SDK, built or refused with a sentence."""

import httpx
import pytest
import stigg

from integrations.api.operation import Operation
from integrations.api.registry import BUILT, KNOWN, by_path
from integrations.api.unbuilt import UNBUILT
from integrations.models import Scope
from tests.integrations.api.conftest import new_key
from tests.integrations.api.sdk_operations import plain, sdk_operations


def test_every_operation_of_the_sdk_is_known_and_no_other() -> None:
    known = {(operation.method, plain(operation.path)) for operation in KNOWN}

    assert known == set(sdk_operations(stigg.Stigg(api_key="nobody's")))


def test_no_operation_stands_twice() -> None:
    assert sum(len(operations) for operations in by_path().values()) == len(KNOWN)


def test_every_operation_that_is_built_says_what_it_does() -> None:
    assert [operation.path for operation in BUILT if not operation.summary] == []
    assert len({operation.name for operation in BUILT}) == len(BUILT)


@pytest.mark.django_db
class TestNotBuilt:
    @pytest.mark.parametrize("operation", UNBUILT, ids=lambda operation: f"{operation.method} {operation.path}")
    def test_what_is_not_built_is_refused_with_a_sentence(
        self, http: httpx.Client, token: str, operation: Operation
    ) -> None:
        answer = http.request(operation.method, operation.path, headers={"X-API-KEY": token})

        assert (answer.status_code, answer.json()["code"]) == (501, "NotImplemented")
        assert answer.json()["message"] == operation.not_built
        assert answer.headers["x-should-retry"] == "false"

    def test_nobody_learns_that_without_a_key(self, http: httpx.Client) -> None:
        assert http.get("/api/v1/credits/grants").status_code == 401

    @pytest.mark.parametrize(
        ("scope", "method", "status"),
        [
            (Scope.READ, "GET", 501),
            (Scope.READ, "POST", 403),
            (Scope.WRITE, "POST", 501),
            (Scope.USAGE, "GET", 403),
            (Scope.USAGE, "POST", 403),
        ],
    )
    def test_a_key_does_what_its_scope_allows(self, http: httpx.Client, scope: Scope, method: str, status: int) -> None:
        headers = {"X-API-KEY": new_key(scope=scope)[1]}

        assert http.request(method, "/api/v1/credits/grants", headers=headers).status_code == status
