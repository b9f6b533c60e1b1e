"""Links an object that a person named by its billing ID."""

from collections.abc import Callable, Mapping
from typing import Any

from integrations.models import EntityKind, SyncRecord
from integrations.zuora.client import field
from integrations.zuora.errors import NotFound, Rejected
from integrations.zuora.push.far import Far, Mismatch
from integrations.zuora.push.place import Held, adopt


def link_by_billing_id(far: Far, record: SyncRecord, billing_id: str, *, sent: Mapping[str, Any] | None = None) -> None:
    """Link the object with this id or number, unless the record links it already.

    `sent` is what the record takes as sent: by default nothing, so that the next step makes the object equal.

    Raises:
        Mismatch: there is no such object of this kind; the text says what was found.
    """
    if not billing_id or billing_id in (record.zuora_id, record.zuora_number):
        return
    wanted = "product" if record.has_parts else record.kind
    held = _look(far, wanted, billing_id)
    if held is None:
        others = [name for name in _LOOKS if name != _noun(wanted) and _look(far, name, billing_id) is not None]
        found = f"is {_with_article(others[0])} there" if others else "does not exist there"
        raise Mismatch(
            f"The billing ID {billing_id} should be {_with_article(_noun(wanted))} in Zuora, but {found}: correct it."
        )
    far.before_write()
    adopt(far, record, held, sent=sent or {})
    record.linked_by_hand = True
    far.note(record, {"linked_by_hand"})


def _look(far: Far, kind: str, billing_id: str) -> Held | None:
    try:
        return _LOOKS[_noun(kind)](far, billing_id)
    except (NotFound, Rejected):  # an id of another kind is an unknown one, or a malformed one
        return None


def _product(far: Far, billing_id: str) -> Held | None:
    row = far.client.find_product(sku=billing_id) or far.client.get_product(billing_id)
    return Held(str(field(row, "id")), str(field(row, "SKU") or ""))


def _account(far: Far, billing_id: str) -> Held | None:
    info = far.client.get_account(billing_id)["basicInfo"]
    return Held(str(info["id"]), str(info["accountNumber"]))


def _subscription(far: Far, billing_id: str) -> Held | None:
    row = far.client.get_subscription(billing_id)
    return Held(str(row["id"]), str(row["subscriptionNumber"]))


_LOOKS: dict[str, Callable[[Far, str], Held | None]] = {
    "product": _product,
    "account": _account,
    "subscription": _subscription,
}


def _noun(kind: str) -> str:
    return "account" if kind == EntityKind.CUSTOMER else str(kind)


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
