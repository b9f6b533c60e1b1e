import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from urllib.parse import quote

from integrations.zuora.mapping.nodes import Body
from integrations.zuora.mapping.refusal import Refusals, Refused

#: Text fields that a person creates in the tenant; Zuora adds the `__c`.
ENTITY_URL = "stiggEntityUrl__c"
CUSTOMER_ID = "stiggCustomerId__c"
RESOURCE_ID = "stiggResourceId__c"
CUSTOM_FIELD_LIMIT = 255
PREFIX_LIMIT = 20


@dataclass(frozen=True)
class Tenant:
    """What the mapping must know about the tenant and this deployment.

    `key_prefix` leads every number, so that two deployments on one tenant do not collide. `custom_fields` names the
    fields that exist there, per Zuora object. Dates are told in `time_zone`, the tenant's.

    Raises:
        Refused: the prefix cannot lead Zuora's numbers.
    """

    key_prefix: str
    public_url: str
    custom_fields: Mapping[str, frozenset[str]] = field(default_factory=dict)
    time_zone: tzinfo = UTC
    catalog_start: date = date(2020, 1, 1)
    catalog_end: date = date(2099, 12, 31)

    def __post_init__(self) -> None:
        # An account number may not begin with the tenant's own prefix, "A" by default:
        # https://developer.zuora.com/v1-api-reference/api/accounts/post_account
        if not re.fullmatch(r"[b-z][a-z0-9]*(?:-[a-z0-9]+)*", self.key_prefix) or len(self.key_prefix) > PREFIX_LIMIT:
            raise Refused(
                f"The key prefix {self.key_prefix!r} cannot lead Zuora's numbers: use at most {PREFIX_LIMIT} "
                "lower-case letters and digits, with single dashes inside, and begin with a letter other than a."
            )

    def day(self, moment: datetime) -> date:
        """Return the tenant's date at that moment."""
        return moment.astimezone(self.time_zone).date()

    def entity_url(self, kind: str, ref_id: str) -> str:
        """Return where people see the entity: `https://console.example/plans/basic/`; kind is `plans`, `addons`, ..."""
        return f"{self.public_url.rstrip('/')}/{kind}/{quote(ref_id, safe='@:+|')}/"

    def custom(self, zuora_object: str, refusals: Refusals, **values: str) -> Body:
        """Return those of the values whose field exists in the tenant."""
        known = self.custom_fields.get(zuora_object, frozenset())
        return {
            name: refusals.text(value, what=f"The value of {zuora_object}'s field {name}", limit=CUSTOM_FIELD_LIMIT)
            for name, value in values.items()
            if name in known
        }
