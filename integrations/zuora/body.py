"""What a request or response body holds: how it is written, how it is read, and what of it may be kept."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from integrations.zuora.errors import Kind, Outcome, Rejected

KEPT_CHARACTERS = 64 * 1024

# Whatever opens an account or charges a card is blotted out before a body is kept for people to read.
_SECRET_NAMES = "|".join(
    (
        *(
            "client_?secret",
            "access_?token",
            "refresh_?token",
            "id_?token",
            "token",
            "password",
            "passphrase",
            "secret",
        ),
        *("authorization", "api_?key", "apiAccessKeyId", "apiSecretAccessKey", "tokenId", "secondTokenId"),
        *("(?:credit|debit)?CardNumber", "creditCardMaskNumber", "(?:creditCard|card)?SecurityCode", "cvv", "cvc"),
        *("(?:credit)?CardHolderName", "bankAccountNumber", "achAccountNumber", "achAbaCode", "bankCode"),
        *("bankTransferAccountNumber", "routingNumber", "identityNumber", "IBAN"),
    )
)
_SECRET_MEMBER = re.compile(
    rf'("(?:{_SECRET_NAMES})"\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|-?[0-9][0-9.eE+-]*)', re.IGNORECASE | re.DOTALL
)
_SECRET_FORM_FIELD = re.compile(rf"(^|[&?])((?:{_SECRET_NAMES})=)[^&\s]*", re.IGNORECASE)
_BEARER = re.compile(r"(Bearer\s+)[A-Za-z0-9._~+/=-]+", re.IGNORECASE)


def encode(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON: the same dict gives the same bytes, whatever the order of its keys.

    A Decimal becomes a plain JSON number, digit for digit. A retry under the same idempotency key must send the same
    bytes, so nothing else in the house writes bodies.

    Raises:
        Rejected: of kind BUG, for a value that JSON or Zuora cannot hold (a float, NaN, a date that is no string yet).
    """
    try:
        return _json(body, "body").encode()
    except UnicodeEncodeError as error:
        raise _unwritable("body", "text with half a surrogate pair", "clean the text") from error


def decode(text: str | bytes) -> Any:
    """Read JSON, every number with a point or an exponent as Decimal.

    Raises:
        ValueError: it is not JSON, or nested or long beyond reason.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def redact(text: str) -> str:
    """Return the text with secrets, tokens and card or bank numbers blotted out, cut to KEPT_CHARACTERS."""
    text = _SECRET_MEMBER.sub(r'\1"[hidden]"', text)
    text = _SECRET_FORM_FIELD.sub(r"\1\2[hidden]", text)
    text = _BEARER.sub(r"\1[hidden]", text)
    return text if len(text) <= KEPT_CHARACTERS else text[:KEPT_CHARACTERS] + " [cut]"


#: Where a value stands: the body, or a key or an index of what stands there. It is written only when it is told.
_Path: TypeAlias = "str | tuple[_Path, str | int]"

#: json.dumps would make an encoder for each text.
_text = json.JSONEncoder(ensure_ascii=False).encode


def _json(value: object, path: _Path) -> str:
    match value:
        case str():
            return _text(value)
        case bool() | None:
            return json.dumps(value)
        case int():
            return str(int(value))
        case Decimal():
            if not value.is_finite():
                raise _unwritable(path, f"the number {value}", "send a finite number")
            return format(value, "f")
        case Mapping():
            if odd := [key for key in value if not isinstance(key, str)]:
                raise _unwritable(path, f"the key {odd[0]!r}", "use text as keys")
            return "{" + ",".join([f"{_text(key)}:{_json(value[key], (path, key))}" for key in sorted(value)]) + "}"
        case Sequence() if not isinstance(value, bytes | bytearray):
            return "[" + ",".join([_json(item, (path, index)) for index, item in enumerate(value)]) + "]"
    raise _unwritable(path, f"a {type(value).__name__}", "numbers are int or Decimal, times are text by now")


def _unwritable(path: _Path, what: str, cure: str) -> Rejected:
    return Rejected(
        f"{_written(path)} holds {what}, which cannot be sent: {cure}.", kind=Kind.BUG, outcome=Outcome.NOT_SENT
    )


def _written(path: _Path) -> str:
    if isinstance(path, str):
        return path
    above, last = path
    return _written(above) + (f"[{last}]" if isinstance(last, int) else f".{last}")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
