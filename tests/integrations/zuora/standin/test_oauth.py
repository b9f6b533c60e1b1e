from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integrations.zuora.standin.driver import BASE, Driver

if TYPE_CHECKING:
    import requests

    from integrations.zuora.standin.app import StandIn

GOOD = {"client_id": "demo-client", "client_secret": "demo-secret", "grant_type": "client_credentials"}


def token(zuora: Driver, form: Any, **headers: str) -> requests.Response:
    return zuora.session.post(f"{BASE}/oauth/token", data=form, headers=headers)


def test_a_token_lives_3599_seconds_and_names_the_tenant(zuora: Driver) -> None:
    body = token(zuora, GOOD).json()
    assert (body["token_type"], body["expires_in"]) == ("bearer", 3599)
    assert body["scope"].split()[-1] == "tenant.10042"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"client_secret": "wrong"}, 401),
        ({"client_id": "nobody"}, 401),
        ({"grant_type": "password"}, 400),
        ({"client_id": ""}, 400),
    ],
)
def test_a_wrong_client_gets_no_token(zuora: Driver, change: dict[str, str], status: int) -> None:
    answer = token(zuora, GOOD | change)
    assert answer.status_code == status
    assert "message" in answer.json()


def test_json_is_not_a_token_request(zuora: Driver) -> None:
    assert zuora.session.post(f"{BASE}/oauth/token", json=GOOD).status_code == 400


def test_an_expired_token_is_refused(zuora: Driver, app: StandIn) -> None:
    app.control.advance(seconds=3598)
    assert zuora.call("GET", "/v1/catalog/products").status == 200
    app.control.advance(seconds=2)
    reply = zuora.call("GET", "/v1/catalog/products")
    assert (reply.status, reply.codes) == (401, [90000011])


def test_revoked_tokens_are_dead_and_a_new_one_works(zuora: Driver, app: StandIn) -> None:
    app.control.revoke_tokens()
    assert zuora.call("GET", "/object-query/accounts").body == {"message": "Authentication error"}
    zuora.login()
    assert zuora.call("GET", "/object-query/accounts").status == 200


def test_a_deactivated_user_kills_its_clients(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(user_active=False)
    assert zuora.call("GET", "/v1/catalog/products").status == 401
    assert token(zuora, GOOD).status_code == 401


def test_a_user_without_write_access_reads_only(zuora: Driver, app: StandIn) -> None:
    app.control.set_switches(api_write=False)
    assert zuora.call("GET", "/v1/catalog/products").status == 200
    assert zuora.call("POST", "/v1/action/query", {"queryString": "select Id from Product"}).status == 200
    assert zuora.call("POST", "/v1/object/product", {}).crud_codes == ["NO_PERMISSION"]
