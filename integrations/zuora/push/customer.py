"""Pushes a customer: an account with its bill-to contact."""

from customers.models import Customer
from integrations.models import SyncRecord
from integrations.zuora.errors import NotFound
from integrations.zuora.mapping.customer import account_body, account_update
from integrations.zuora.mapping.keys import account_number
from integrations.zuora.push.far import Far
from integrations.zuora.push.link import link_by_billing_id
from integrations.zuora.push.place import Endpoints, Held, Wanted, place


def push_customer(far: Far, customer: Customer, record: SyncRecord) -> None:
    """Bring the customer's account to what the customer is."""
    link_by_billing_id(far, record, customer.billing_id)
    number = account_number(customer.ref_id, prefix=far.tenant.key_prefix)
    body = account_body(customer, tenant=far.tenant)
    update = account_update(customer, tenant=far.tenant, sent=record.sent)

    def find() -> Held | None:
        try:
            info = far.client.get_account(number)["basicInfo"]
        except NotFound:
            return None
        return Held(str(info["id"]), str(info["accountNumber"]))

    endpoints = Endpoints(
        create=lambda raw, key: far.client.create_account(raw, idempotency_key=key),
        held=lambda answer: Held(str(answer["accountId"]), str(answer.get("accountNumber") or number)),
        find=find,
        update=lambda account_id: far.client.update_account(account_id, update),
    )
    place(far, record, Wanted(body, number), endpoints)
