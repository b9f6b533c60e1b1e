"""`GET /v1/describe/{Object}`: the object's fields as XML, custom ones included.

Source: https://developer.zuora.com/v1-api-reference/api/operation/GET_Describe/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from integrations.zuora.standin.contacts import NAMES, column
from integrations.zuora.standin.errors import not_found
from integrations.zuora.standin.fields import shapes
from integrations.zuora.standin.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from integrations.zuora.standin.tenant import Tenant

TYPES = {"string": "text", "number": "decimal", "integer": "integer", "boolean": "boolean"}
AUDIT = ("Id", "CreatedById", "CreatedDate", "UpdatedById", "UpdatedDate")
FIELDS: dict[str, Sequence[str]] = {
    "Account": [
        "AccountNumber",
        "Name",
        "Currency",
        "Balance",
        "Batch",
        "BillCycleDay",
        "BillToId",
        "SoldToId",
        "AutoPay",
        "CrmId",
        "Notes",
        "ParentId",
        "PaymentTerm",
        "Status",
        "DefaultPaymentMethodId",
        "PurchaseOrderNumber",
    ],
    "Contact": tuple(map(column, NAMES)),
    "Subscription": [
        "Name",
        "AccountId",
        "InvoiceOwnerId",
        "Status",
        "Version",
        "OriginalId",
        "PreviousSubscriptionId",
        "TermType",
        "TermStartDate",
        "TermEndDate",
        "ContractEffectiveDate",
        "ServiceActivationDate",
        "ContractAcceptanceDate",
        "SubscriptionStartDate",
        "SubscriptionEndDate",
        "AutoRenew",
        "Notes",
    ],
    "RatePlan": ("Name", "ProductRatePlanId", "SubscriptionId", "AmendmentType"),
    "RatePlanCharge": (
        "ChargeNumber",
        "Name",
        "RatePlanId",
        "OriginalId",
        "Segment",
        "Version",
        "UOM",
        "Quantity",
        "Price",
    ),
    "UnitOfMeasure": ("UomName", "DisplayedAs", "DecimalPlaces", "RoundingMode", "Active"),
    "Order": ("OrderNumber", "OrderDate", "AccountId", "Status", "Category", "Description"),
    "Invoice": ("InvoiceNumber", "AccountId", "Amount", "Balance", "InvoiceDate", "DueDate", "Status", "TargetDate"),
    "InvoiceItem": (
        "InvoiceId",
        "ChargeName",
        "ChargeNumber",
        "ChargeAmount",
        "Quantity",
        "ServiceStartDate",
        "ServiceEndDate",
    ),
    "ProductRatePlanChargeTier": ("Currency", "Price", "PriceFormat", "StartingUnit", "EndingUnit", "Tier", "Active"),
}
BODIES = {
    "Product": "Product.create",
    "ProductRatePlan": "ProductRatePlan.create",
    "ProductRatePlanCharge": "ProductRatePlanCharge.create",
    "Usage": "Usage.create",
}


def known_fields(tenant: Tenant, name: str) -> dict[str, tuple[str, int, bool]] | None:
    """Field name to type, maximum length and whether it is required; None for an unknown object."""
    fields: dict[str, tuple[str, int, bool]] = dict.fromkeys(AUDIT, ("text", 255, False))
    if name in BODIES:
        for member, node in shapes()[BODIES[name]].members.items():
            fields[member] = (TYPES.get(node.kind, "text"), node.max_length or 255, node.required)
    elif name in FIELDS:
        fields.update(dict.fromkeys(FIELDS[name], ("text", 255, False)))
    else:
        return None
    fields.update(dict.fromkeys(tenant.switches.custom_fields.get(name, ()), ("text", 255, False)))
    if name == "Usage":
        fields.update(
            RbeStatus=("text", 9, False), SourceType=("text", 32, False), SubmissionDateTime=("dateTime", 29, False)
        )
    return fields


def describe(tenant: Tenant, request: Request) -> Any:
    name = request.params["object"]
    fields = known_fields(tenant, name)
    if fields is None:
        raise not_found("object", name)
    parts = ['<?xml version="1.0" encoding="UTF-8"?>', f'<object href="{escape(request.origin + request.path)}">']
    parts.append(f"<name>{name}</name><label>{name}</label><fields>")
    for field, (kind, length, required) in fields.items():
        own = str(field not in AUDIT).lower()
        parts.append(
            f"<field><name>{escape(field)}</name><label>{escape(field)}</label><selectable>true</selectable>"
            f"<createable>{own}</createable><updateable>{own}</updateable>"
            f"<filterable>{str(field != 'UniqueKey').lower()}</filterable>"
            f"<custom>{str(field.endswith('__c')).lower()}</custom><maxlength>{length}</maxlength>"
            f"<required>{str(required).lower()}</required><type>{kind}</type>"
            "<contexts><context>soap</context></contexts></field>"
        )
    parts.append("</fields><related-objects></related-objects></object>")
    return Answer(body="".join(parts).encode(), content_type="text/xml;charset=UTF-8")
