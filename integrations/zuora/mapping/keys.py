"""The names that things go by: in our own records, and as the numbers that Zuora keeps unique for us.

A Zuora number is readable, never random, and says which Stigg id it stands for, so that an object whose creation was
never answered is found again: `stigg--plan--basic--monthly`. Two different Stigg ids never share one, not even for a
reader that ignores case: whatever an id loses on its way (a character, its capitals, its tail) is made good by a digest
of the whole, behind `__`.
"""

import base64
import hashlib
import json
import re

from catalog.models import Package, Plan, Price

SKU_LIMIT = 50
NUMBER_LIMIT = 100
ACCOUNT_LIMIT = 70

_PLAIN_PART = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_DIGEST_LENGTH = 16  # of base 32: 80 bits


def plan_key(ref_id: str) -> str:
    return f"plan:{ref_id}"


def addon_key(ref_id: str) -> str:
    return f"addon:{ref_id}"


def package_key(package: Package) -> str:
    return plan_key(package.ref_id) if isinstance(package, Plan) else addon_key(package.ref_id)


def coupon_key(ref_id: str) -> str:
    return f"coupon:{ref_id}"


def customer_key(ref_id: str) -> str:
    return f"customer:{ref_id}"


def subscription_key(ref_id: str) -> str:
    return f"subscription:{ref_id}"


def unit_key(name: str) -> str:
    return f"unit:{name}"


def rate_plan_key(parent_key: str, period: str) -> str:
    """Return `plan:basic/MONTHLY`."""
    return f"{parent_key}/{period}"


def charge_key(parent_key: str, price: Price) -> str:
    """Return `plan:basic/MONTHLY/RECURRING/PER_UNIT/feature-seats`: the same for the same charge of every version."""
    return "/".join((rate_plan_key(parent_key, price.billing_period), *_charge_parts(price)))


def product_sku(parent_key: str, *, prefix: str) -> str:
    """Return a product's SKU: `stigg--plan--basic`."""
    return readable_key(prefix, *_kind_and_id(parent_key), limit=SKU_LIMIT)


def rate_plan_number(parent_key: str, period: str, *, prefix: str, generation: int = 1) -> str:
    """Return a ProductRatePlanNumber: `stigg--plan--basic--monthly`, its successor's with `__g2` behind."""
    return readable_key(prefix, *_kind_and_id(parent_key), period.lower(), limit=NUMBER_LIMIT, generation=generation)


def charge_number(parent_key: str, price: Price, *, prefix: str, generation: int = 1) -> str:
    """Return a ProductRatePlanChargeNumber: `stigg--plan--basic--monthly--recurring--per_unit--seats`."""
    cadence, model, *feature = _charge_parts(price)
    return readable_key(
        prefix,
        *_kind_and_id(parent_key),
        price.billing_period.lower(),
        cadence.lower(),
        model.lower(),
        *feature,
        limit=NUMBER_LIMIT,
        generation=generation,
    )


def discount_number(parent_key: str, period: str, kind: str, *, prefix: str, generation: int = 1) -> str:
    """Return the ProductRatePlanChargeNumber of a coupon's discount: `stigg--coupon--launch--monthly--percentage`."""
    return readable_key(
        prefix, *_kind_and_id(parent_key), period.lower(), kind.lower(), limit=NUMBER_LIMIT, generation=generation
    )


def account_number(ref_id: str, *, prefix: str) -> str:
    """Return an accountNumber, which must not begin with the tenant's own prefix (`A` unless it was changed)."""
    return readable_key(prefix, ref_id, limit=ACCOUNT_LIMIT)


def subscription_number(ref_id: str, *, prefix: str) -> str:
    return readable_key(prefix, ref_id, limit=NUMBER_LIMIT)


def order_number(subscription_ref_id: str, sequence: int, *, prefix: str) -> str:
    """Return the orderNumber of a subscription's n-th order: no slash, and never that of another subscription."""
    return readable_key(prefix, subscription_ref_id, str(sequence), limit=NUMBER_LIMIT)


def readable_key(*parts: str, limit: int, generation: int = 1) -> str:
    """Join the parts to a number of at most `limit` characters: ASCII letters, digits, `-` and `_`.

    Without a dot, because it stands in URL paths, where frameworks like to take a dot for the start of a file type.
    Different parts or another generation always give another number, also when case is ignored. That rests on `--`,
    which only ever joins, and `__`, which only ever begins a digest or a generation: an id that holds one of them, or
    anything else beyond lower-case words joined by single dashes, gets a digest.
    """
    ending = "" if generation == 1 else f"__g{generation}"
    plain = "--".join(parts)
    if len(plain + ending) <= limit and all(_PLAIN_PART.fullmatch(part) for part in parts):
        return plain + ending
    ending = f"__{_digest(parts)}{ending}"
    legible = "--".join(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") for part in parts)
    return legible[: limit - len(ending)].rstrip("-") + ending


def _digest(parts: tuple[str, ...]) -> str:
    whole = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(whole).decode().lower()[:_DIGEST_LENGTH]


def _kind_and_id(key: str) -> tuple[str, str]:
    kind, _, ref_id = key.partition(":")
    return kind, ref_id


def _charge_parts(price: Price) -> tuple[str, ...]:
    feature = (price.feature.ref_id,) if price.feature else ()
    return (price.billing_cadence, price.billing_model, *feature)
