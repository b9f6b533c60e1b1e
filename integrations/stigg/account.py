"""A Stigg environment as its own SDK reads it: the only room that knows the SDK.

Rows come as the API has them, with its own names (`displayName`), so that a field that the SDK's models do not know yet
is not lost. Source: the published package `stigg`, and https://docs.stigg.io/api-and-sdks/api-reference/rest/overview
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
            return _row(self._call(lambda: self._calls[kind].one(ref_id)))
        except (stigg.NotFoundError, LookupError):
            return None

    def charges(self, kind: StiggKind, ref_id: str, *, version: int | None = None) -> tuple[Row, ...]:
        """Return all charges of a plan or an add-on, in as many calls as they take pages.

        Only a deployment of ours knows those of a version that is no longer on sale.
        """
        of: dict[str, Any] = {} if version is None else {"extra_query": {"versionNumber": version}}
        resource = self._client.v1.plans if kind is StiggKind.PLAN else self._client.v1.addons
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
        after = answer.pagination.next if answer.pagination else None
        return Page(tuple(_row(one) for one in answer.data or ()), after or "")

    def _call(self, call: Callable[[], Any]) -> Any:
        self._pace()
        try:
            return call()
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


_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class _Calls:
    """How one kind is read: in pages, and one row by its id (which raises LookupError where there is none)."""

    pages: Callable[..., Any]
    one: Callable[[str], Any]
    page_size: int = PAGE_SIZE


def _calls_of(client: stigg.Stigg) -> dict[StiggKind, _Calls]:
    v1 = client.v1
    sold: dict[str, Any] = {"status": ["PUBLISHED", "ARCHIVED"]}  # the SDK's types want each word as a literal
    statuses: Any = ["PAYMENT_PENDING", "ACTIVE", "EXPIRED", "IN_TRIAL", "CANCELED", "NOT_STARTED"]
    return {
        StiggKind.PRODUCT: _Calls(
            partial(v1.products.list_products, **sold),
            lambda ref_id: v1.products.list_products(id=ref_id, limit=1).data[0],  # no call for one product
        ),
        StiggKind.FEATURE: _Calls(v1.features.list_features, lambda ref_id: v1.features.retrieve_feature(ref_id).data),
        StiggKind.COUPON: _Calls(
            partial(v1.coupons.list, status=["ACTIVE", "ARCHIVED"]), lambda ref_id: v1.coupons.retrieve(ref_id).data
        ),
        StiggKind.ADDON: _Calls(
            partial(v1.addons.list, **sold), lambda ref_id: v1.addons.retrieve(ref_id).data, PACKAGES_A_PAGE
        ),
        StiggKind.PLAN: _Calls(
            partial(v1.plans.list, **sold), lambda ref_id: v1.plans.retrieve(ref_id).data, PACKAGES_A_PAGE
        ),
        StiggKind.CUSTOMER: _Calls(v1.customers.list, lambda ref_id: v1.customers.retrieve(ref_id).data),
        StiggKind.SUBSCRIPTION: _Calls(
            partial(v1.subscriptions.list, status=statuses), lambda ref_id: v1.subscriptions.retrieve(ref_id).data
        ),
    }


def _row(model: Any) -> Row:
    row: Row = model.to_dict(mode="json", use_api_names=True, exclude_unset=False)
    return row
