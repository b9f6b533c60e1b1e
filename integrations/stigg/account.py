"""A Stigg environment as its own SDK reads it: the only room that knows the SDK.

Rows come as the API has them, with its own names (`displayName`) and before the SDK makes models of them: a field that
those do not know yet is not lost, and making them would take longer than to store what they say.
Source: the published package `stigg`, and https://docs.stigg.io/api-and-sdks/api-reference/rest/overview
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Any

import stigg

PAGE_SIZE = 100
#: Each of them takes another call, for its charges.
PACKAGES_A_PAGE = 20
#: The SDK waits between them as `Retry-After` says, else longer each time.
_RETRIES = 5
_TIMEOUT_SECONDS = 60.0

Row = Mapping[str, Any]


class StiggKind(StrEnum):
    """What an environment holds, parents before children."""

    PRODUCT = "product"
    FEATURE = "feature"
    ADDON = "addon"
    PLAN = "plan"
    COUPON = "coupon"  # in Zuora it needs the currencies of what is sold
    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"


class StiggError(Exception):
    """Stigg did not answer, or not with what was asked for; the text says so to a person."""


class StiggUnavailableError(StiggError):
    """Nothing is wrong with us: try again later."""


class StiggForbiddenError(StiggError):
    """The API key is not accepted."""


@dataclass(frozen=True)
class Page:
    """Some rows, and where the next ones begin; nowhere when there are no more."""

    rows: tuple[Row, ...]
    after: str


class Pace:
    """Lets at most so many calls a minute go, evenly; shared by the threads of a process."""

    def __init__(self, per_minute: float) -> None:
        self._gap = 60.0 / per_minute
        self._lock = threading.Lock()
        self._next = 0.0

    def __call__(self) -> None:
        with self._lock:
            now = time.monotonic()
            wait = self._next - now
            self._next = max(now, self._next) + self._gap
        if wait > 0:
            time.sleep(wait)


class Account:
    """Reads one environment. Every method is one call to Stigg, and raises StiggError."""

    def __init__(self, *, base_url: str, api_key: str, pace: Callable[[], None]) -> None:
        self._client = stigg.Stigg(api_key=api_key, base_url=base_url, max_retries=_RETRIES, timeout=_TIMEOUT_SECONDS)
        self._calls = _calls_of(self._client)
        self._pace = pace

    def page(self, kind: StiggKind, *, after: str = "") -> Page:
        """Return the next rows of a kind. Drafts are left out: nobody can have bought them."""
        calls = self._calls[kind]
        return self._read(lambda: calls.pages(limit=calls.page_size, **({"after": after} if after else {})))

    def get(self, kind: StiggKind, ref_id: str) -> Row | None:
        """Return one row, or None where Stigg has none with this id."""
        try:
            data = self._call(lambda: self._calls[kind].one(ref_id)).get("data")
        except stigg.NotFoundError:
            return None
        row = next(iter(data), None) if isinstance(data, list) else data  # there is no call for one product
        return row if isinstance(row, dict) else None

    def charges(self, kind: StiggKind, ref_id: str, *, version: int | None = None) -> tuple[Row, ...]:
        """Return all charges of a plan or an add-on, in as many calls as they take pages.

        Only a deployment of ours knows those of a version that is no longer on sale.
        """
        of: dict[str, Any] = {} if version is None else {"extra_query": {"versionNumber": version}}
        v1 = self._client.v1
        resource = v1.plans.with_raw_response if kind is StiggKind.PLAN else v1.addons.with_raw_response
        rows: list[Row] = []
        after = ""
        while True:
            at: dict[str, Any] = {"limit": PAGE_SIZE, **of, **({"after": after} if after else {})}
            page = self._read(partial(resource.list_charges, ref_id, **at))
            rows += page.rows
            if not (after := page.after):
                return tuple(rows)

    def _read(self, call: Callable[[], Any]) -> Page:
        answer = self._call(call)
        return Page(tuple(answer.get("data") or ()), (answer.get("pagination") or {}).get("next") or "")

    def _call(self, call: Callable[[], Any]) -> Mapping[str, Any]:
        """Return the body of an answer, which is a JSON object."""
        self._pace()
        try:
            body = call().http_response.json()
        except stigg.NotFoundError:
            raise
        except (stigg.AuthenticationError, stigg.PermissionDeniedError) as error:
            raise StiggForbiddenError(
                "Stigg does not accept the API key: make a server key with read access in Stigg, and enter it."
            ) from error
        except stigg.APIStatusError as error:
            if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status_code in _AGAIN:
                raise StiggUnavailableError(f"Stigg answered {error.status_code}: it is tried again later.") from error
            raise StiggError(f"Stigg answered {error.status_code}: {error.message}") from error
        except stigg.APIConnectionError as error:
            raise StiggUnavailableError("Stigg did not answer: it is tried again later.") from error
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise StiggError("What answered is not Stigg's API: its answer is no JSON object.")
        return body


_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class _Calls:
    """How one kind is read: in pages, and one row by its id; both answer as Stigg did."""

    pages: Callable[..., Any]
    one: Callable[[str], Any]
    page_size: int = PAGE_SIZE


def _calls_of(client: stigg.Stigg) -> dict[StiggKind, _Calls]:
    v1 = client.v1
    products, features = v1.products.with_raw_response, v1.features.with_raw_response
    coupons = v1.coupons.with_raw_response
    addons, plans = v1.addons.with_raw_response, v1.plans.with_raw_response
    customers, subscriptions = v1.customers.with_raw_response, v1.subscriptions.with_raw_response
    sold: dict[str, Any] = {"status": ["PUBLISHED", "ARCHIVED"]}  # the SDK's types want each word as a literal
    statuses: Any = ["PAYMENT_PENDING", "ACTIVE", "EXPIRED", "IN_TRIAL", "CANCELED", "NOT_STARTED"]
    return {
        StiggKind.PRODUCT: _Calls(
            partial(products.list_products, **sold), lambda ref_id: products.list_products(id=ref_id, limit=1)
        ),
        StiggKind.FEATURE: _Calls(features.list_features, features.retrieve_feature),
        StiggKind.COUPON: _Calls(partial(coupons.list, status=["ACTIVE", "ARCHIVED"]), coupons.retrieve),
        StiggKind.ADDON: _Calls(partial(addons.list, **sold), addons.retrieve, PACKAGES_A_PAGE),
        StiggKind.PLAN: _Calls(partial(plans.list, **sold), plans.retrieve, PACKAGES_A_PAGE),
        StiggKind.CUSTOMER: _Calls(customers.list, customers.retrieve),
        StiggKind.SUBSCRIPTION: _Calls(partial(subscriptions.list, status=statuses), subscriptions.retrieve),
    }
