from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integrations.zuora.standin.driver import BASE, Driver, usage_body, usage_catalog

if TYPE_CHECKING:
    import requests

    from integrations.zuora.standin.app import StandIn


def page(zuora: Driver, path: str) -> requests.Response:
    return zuora.session.get(BASE + path, headers={"Authorization": ""})


@pytest.fixture
def tenant(zuora: Driver, app: StandIn) -> Driver:
    charge = usage_catalog(zuora)
    zuora.made("/v1/object/usage", usage_body(charge, Description="<script>alert(1)</script>"))
    zuora.call("PUT", "/v1/accounts/cust-1", {"stiggCustomerId__c": "customer-7"})
    zuora.order({"type": "RenewSubscription"}, subscription="sub-1")
    app.control.bill_run(app.control.now().date())
    return zuora


def test_every_deep_link_opens_what_it_names(tenant: Driver) -> None:
    rows = tenant.app.control.rows
    links = {
        f"/apps/Product.do?method=view&id={rows('Product')[0]['Id']}": ["basic", "basic-month", "Per Unit Pricing"],
        f"/apps/CustomerAccount.do?method=view&id={rows('Account')[0]['Id']}": [
            "cust-1",
            "customer-7",
            "sub-1",
            "INV00000001",
        ],
        f"/apps/Subscription.do?method=view&id={tenant.subscription()['id']}": [
            "sub-1",
            "version 2",
            "Expired",
            "calls",
        ],
        f"/platform/apps/com_zuora/invoice/{rows('Invoice')[0]['Id']}": ["INV00000001", "fee", "USD"],
        "/platform/webapp": ["basic", "cust-1", "sub-1"],
        "/platform/apps/com_zuora/subscription?~(clearFilter~true)": ["sub-1"],
    }
    for path, wanted in links.items():
        answer = page(tenant, path)
        assert answer.status_code == 200
        assert [one for one in wanted if one not in answer.text] == [], path


def test_an_older_version_has_a_page_of_its_own(tenant: Driver) -> None:
    first = tenant.app.control.rows("Subscription")[0]
    assert "Subscription, version 1" in page(tenant, f"/apps/Subscription.do?method=view&id={first['Id']}").text


def test_what_came_in_is_shown_as_text(tenant: Driver) -> None:
    answer = page(tenant, f"/apps/Subscription.do?method=view&id={tenant.subscription()['id']}")
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "path", ["/apps/Product.do?method=view&id=none", "/apps/Product.do", "/apps/Moon.do", "/platform/x", "/apps/"]
)
def test_anything_else_is_a_page_that_says_so(tenant: Driver, path: str) -> None:
    answer = page(tenant, path)
    assert (answer.status_code, "Not found" in answer.text) == (404, True)
