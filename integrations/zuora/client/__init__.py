"""The Zuora client: a method per endpoint, plain data in and out, and only `ZuoraError` raised."""

from integrations.zuora.client.accounts import AccountEndpoints
from integrations.zuora.client.actions import ActionEndpoints
from integrations.zuora.client.catalog import CatalogEndpoints
from integrations.zuora.client.orders import OrderEndpoints
from integrations.zuora.client.queries import PAGE_SIZE, equal, field, one_of, zoql_text
from integrations.zuora.client.tenant import TenantEndpoints
from integrations.zuora.client.transport import WSDL_VERSION, ZUORA_VERSION
from integrations.zuora.client.usage_files import LARGEST_FILE, UsageFileEndpoints
from integrations.zuora.client.wire import Exchange, Timeouts, new_session

__all__ = [
    "LARGEST_FILE",
    "PAGE_SIZE",
    "WSDL_VERSION",
    "ZUORA_VERSION",
    "Client",
    "Exchange",
    "Timeouts",
    "equal",
    "field",
    "new_session",
    "one_of",
    "zoql_text",
]


class Client(CatalogEndpoints, AccountEndpoints, OrderEndpoints, ActionEndpoints, UsageFileEndpoints, TenantEndpoints):
    """One tenant, seen by one API user."""
