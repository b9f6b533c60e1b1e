"""Where Zuora lives: its data centres, the hosts that may be called, and links into a tenant's pages.

Sources: https://docs.zuora.com/basics/environments/zuora-data-centers and the servers of
https://developer.zuora.com/v1-api-reference/
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlsplit


@dataclass(frozen=True, slots=True)
class DataCentre:
    name: str
    environment: str
    rest_host: str
    ui_host: str


DATA_CENTRES = (
    DataCentre("US Cloud 1", "Production", "rest.na.zuora.com", "na.zuora.com"),
    DataCentre("US Cloud 1", "API Sandbox", "rest.sandbox.na.zuora.com", "sandbox.na.zuora.com"),
    DataCentre("US Cloud 2", "Production", "rest.zuora.com", "www.zuora.com"),
    DataCentre("US Cloud 2", "API Sandbox", "rest.apisandbox.zuora.com", "apisandbox.zuora.com"),
    DataCentre("US", "Developer and Central Sandbox", "rest.test.zuora.com", "test.zuora.com"),
    DataCentre("US", "Performance Test", "rest.pt1.zuora.com", "pt1.zuora.com"),
    DataCentre("EU", "Production", "rest.eu.zuora.com", "eu.zuora.com"),
    DataCentre("EU", "API Sandbox", "rest.sandbox.eu.zuora.com", "sandbox.eu.zuora.com"),
    DataCentre("EU", "Developer and Central Sandbox", "rest.test.eu.zuora.com", "test.eu.zuora.com"),
    DataCentre("APAC", "Production", "rest.ap.zuora.com", "ap.zuora.com"),
    DataCentre("APAC", "Developer and Central Sandbox", "rest.test.ap.zuora.com", "test.ap.zuora.com"),
)
_REST_BASES = {host: f"https://{dc.rest_host}" for dc in DATA_CENTRES for host in (dc.rest_host, dc.ui_host)}
_UI_BASES = {f"https://{dc.rest_host}": f"https://{dc.ui_host}" for dc in DATA_CENTRES}


class UnknownHostError(ValueError):
    """The tenant URL names no host that may be called; the message says which there are."""


class Page(StrEnum):
    PRODUCT = "product"
    RATE_PLAN = "rate plan"
    ACCOUNT = "account"
    SUBSCRIPTION = "subscription"
    INVOICE = "invoice"


# Zuora documents none of these; they are the addresses that its own pages show, by the 32-digit id.
_PATHS = {
    Page.PRODUCT: "/apps/Product.do?method=view&id={id}",
    Page.RATE_PLAN: "/apps/Product.do?method=view&id={product}#{id}",
    Page.ACCOUNT: "/apps/CustomerAccount.do?method=view&id={id}",
    Page.SUBSCRIPTION: "/apps/Subscription.do?method=view&id={id}",
    Page.INVOICE: "/platform/apps/com_zuora/invoice/{id}",
}


def normalise_tenant_url(url: str, extra_hosts: Iterable[str] = ()) -> str:
    """Return the REST base URL, without a slash at its end, of the tenant that a person named by any of its addresses.

    The host of the pages or the REST host of a data centre is taken, with or without scheme and path; `extra_hosts`
    are further origins, such as `http://127.0.0.1:8900`, each taken as it stands.

    Raises:
        UnknownHostError: it names no known host; the message repeats what was given and lists the choices.
    """
    given = url.strip()
    if not given.isascii() or not given.isprintable() or any(mark in given for mark in " \\@"):
        raise _unknown(url, "it holds characters that no tenant URL has")
    extras = {_origin(_split(extra)): extra.rstrip("/") for extra in extra_hosts}
    parts = _split(given)
    for origin, extra in extras.items():
        if _origin(parts) == origin or ("://" not in given and parts.netloc.lower() == origin.partition("://")[2]):
            return extra
    if parts.scheme.lower() != "https":
        raise _unknown(url, "it must begin with https://")
    base = _REST_BASES.get(parts.hostname or "")
    if base is None:
        raise _unknown(url, "it is not one of Zuora's data centres")
    if parts.netloc.lower() not in {parts.hostname, f"{parts.hostname}:443"}:
        raise _unknown(url, "it must not name a port")
    return base


def ui_base(rest_base: str) -> str:
    """Return the address of the tenant's pages; a host outside Zuora's data centres shows them at its own origin."""
    return _UI_BASES.get(rest_base, rest_base.rstrip("/"))


def link(rest_base: str, page: Page, zuora_id: str, *, product_id: str = "") -> str:
    """Return the link that opens an object in the tenant. A rate plan has no page but a place on its product's.

    Raises:
        ValueError: an id is missing.
    """
    if not zuora_id or (page is Page.RATE_PLAN and not product_id):
        raise ValueError(
            f"A link to a {page} needs its Zuora id" + (" and its product's" if page is Page.RATE_PLAN else "")
        )
    path = _PATHS[page].format(id=quote(zuora_id, safe=""), product=quote(product_id, safe=""))
    return ui_base(rest_base) + path


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise _unknown(url, "it cannot be read as a URL") from error


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}".lower()


def _unknown(url: str, why: str) -> UnknownHostError:
    choices = ", ".join(f"{dc.ui_host} ({dc.name} {dc.environment})" for dc in DATA_CENTRES)
    return UnknownHostError(f"{url.strip()[:200]!r} cannot be used as the tenant URL: {why}. Choose one of: {choices}.")
