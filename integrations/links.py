"""Links into the tenant: what opens when somebody clicks a billing ID."""

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.hosts import Page, link

_PAGES = {
    EntityKind.CUSTOMER: Page.ACCOUNT,
    EntityKind.SUBSCRIPTION: Page.SUBSCRIPTION,
    EntityKind.BILLING_PERIOD: Page.RATE_PLAN,
}


def link_into_tenant(record: SyncRecord, product: SyncRecord | None = None) -> str:
    """Return the address of the record's page in the tenant, or nothing where Zuora has no such page.

    A rate plan or charge is found on its product's page: `product` is the record of the entity that it belongs to.
    """
    if not record.zuora_id or record.kind == EntityKind.UNIT:
        return ""
    page = _PAGES.get(EntityKind(record.kind), Page.PRODUCT)
    if record.kind not in {EntityKind.BILLING_PERIOD, EntityKind.CHARGE}:
        return link(record.connection.rest_url, page, record.zuora_id)
    if product is None or not product.zuora_id:
        return ""
    if page is Page.RATE_PLAN:
        return link(record.connection.rest_url, page, record.zuora_id, product_id=product.zuora_id)
    return link(record.connection.rest_url, Page.PRODUCT, product.zuora_id)
