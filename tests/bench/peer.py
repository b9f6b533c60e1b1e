"""The peer: a plain script that makes the same objects through the unmodified zuora-sdk, one call after the other.

It takes the bodies that we sent, gives them other keys, and reads them through the SDK's own models.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zuora_sdk import (
    AccountsApi,
    CreateAccountRequest,
    CreateOrderRequest,
    CreateProductRatePlanChargeRequest,
    CreateProductRatePlanRequest,
    CreateProductRequest,
    CreateUsageRequest,
    OrdersApi,
    ProductRatePlanChargesApi,
    ProductRatePlansApi,
    ProductsApi,
    UsageApi,
)
from zuora_sdk.configuration import Configuration
from zuora_sdk.zuora_client import ZuoraClient

from integrations.zuora.client import ZUORA_VERSION
from tests.processes.deployment import CLIENT_ID, CLIENT_SECRET

PLAN_PATHS = ("/v1/object/product", "/v1/object/product-rate-plan", "/v1/object/product-rate-plan-charge")
CUSTOMER_PATHS = ("/v1/accounts", "/v1/orders")
USAGE_PATH = "/v1/object/usage"
_REF = re.compile(r"bench-(plan|customer)-\d+")


@dataclass(frozen=True)
class Sent:
    """A create of ours, as the stand-in logged it: where to, what, and the id of what it made."""

    path: str
    body: Mapping[str, Any]
    made: str


def creates(requests: Iterable[Mapping[str, Any]], paths: tuple[str, ...], *, entities: int) -> list[Sent]:
    """Pick the creates of the first entities out of the stand-in's log: those of one, then those of the next."""
    found: dict[str, dict[str, Sent]] = {}
    for one in requests:
        if one["method"] == "POST" and one["path"] in paths:
            match = _REF.search(json.dumps(one["body"]))
            made = one["response"].get("Id") or one["response"].get("accountId") or ""
            found.setdefault(match.group() if match else "", {})[one["path"]] = Sent(one["path"], one["body"], made)
    whole = [of_one for of_one in found.values() if set(of_one) == set(paths)]
    return [of_one[path] for of_one in whole[:entities] for path in paths]


class Peer:
    """A script's SDK client, and how many calls it made in how long."""

    def __init__(self, address: str) -> None:
        self._zuora = ZuoraClient(CLIENT_ID, CLIENT_SECRET, env=None, config=Configuration(host=address))
        self._zuora.initialize()
        self._zuora.set_zuora_version(ZUORA_VERSION)
        client = self._zuora.api_client
        self._calls: dict[str, Callable[[Any], Any]] = {
            PLAN_PATHS[0]: lambda body: ProductsApi(client).create_product(CreateProductRequest.from_dict(body)).id,
            PLAN_PATHS[1]: lambda body: (
                ProductRatePlansApi(client).create_product_rate_plan(CreateProductRatePlanRequest.from_dict(body)).id
            ),
            PLAN_PATHS[2]: lambda body: (
                ProductRatePlanChargesApi(client)
                .create_product_rate_plan_charge(CreateProductRatePlanChargeRequest.from_dict(body))
                .id
            ),
            CUSTOMER_PATHS[0]: lambda body: (
                AccountsApi(client).create_account(CreateAccountRequest.from_dict(body)).account_id
            ),
            CUSTOMER_PATHS[1]: lambda body: (
                OrdersApi(client).create_order(CreateOrderRequest.from_dict(body)).order_number
            ),
            USAGE_PATH: lambda body: UsageApi(client).create_usage(CreateUsageRequest.from_dict(body)).id,
        }

    def repeat(self, sent: Iterable[Sent]) -> tuple[int, float]:
        """Make the same objects again under keys of its own; return the number of calls and the seconds they took."""
        renamed = {"bench-": "peer-"}
        calls, started = 0, time.perf_counter()
        for one in sent:
            text = json.dumps(one.body)
            for old, new in renamed.items():
                text = text.replace(old, new)
            made = self._calls[one.path](json.loads(text))
            if one.made:
                renamed[one.made] = made
            calls += 1
        return calls, time.perf_counter() - started

    def close(self) -> None:
        # Its own `stop_auto_auth` waits for a thread that sleeps for ten minutes.
        self._zuora._stop_refresh.set()
