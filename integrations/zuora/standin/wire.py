"""What travels: a request read once, an answer written once, and JSON whose decimals survive both ways."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import parse_qs

from integrations.zuora.standin.errors import Kind, Refusal, invalid

# Zuora's columns are three-byte UTF-8: https://developer.zuora.com/v1-api-reference/introduction/
FOUR_BYTES = re.compile("[\U00010000-\U0010ffff]")
MARKED_DECIMAL = re.compile(r'"\\u0001d([^"]*)"')
LARGEST_BODY = 25 * 1024 * 1024
LEGACY_VERSIONS = frozenset(
    [
        "187.0",
        "188.0",
        "189.0",
        "196.0",
        "206.0",
        "207.0",
        "211.0",
        "214.0",
        "215.0",
        "216.0",
        "223.0",
        "224.0",
        "230.0",
        "239.0",
        "256.0",
        "257.0",
        "309.0",
        "314.0",
        "315.0",
        "329.0",
        "330.0",
        "336.0",
        "337.0",
        "338.0",
        "341.0",
        "2024-05-20",
        "2025-08-12",
    ]
)
OLDEST_VERSION = 186.0


def version_number(text: str) -> float:
    """A minor version as a number that can be compared: 223.0, 20240520.0."""
    return float(text.replace("-", "")) if text in LEGACY_VERSIONS else OLDEST_VERSION


def _mark_decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return f"\x01d{value:f}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def dump(value: Any) -> bytes:
    """JSON bytes; a `Decimal` is written as a plain number with all of its digits."""
    text = json.dumps(value, default=_mark_decimal, separators=(",", ":"))
    if "\\u0001d" in text:
        text = MARKED_DECIMAL.sub(r"\1", text)
    return text.encode()


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def load(text: bytes | str) -> Any:
    """JSON in, with `Decimal` for every number that is not whole."""
    return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)


@dataclass(slots=True)
class Answer:
    """An HTTP answer; `headers` come on top of those that every answer carries."""

    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = "application/json;charset=UTF-8"


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status=status, body=dump(value))


@dataclass
class Request:
    """One HTTP request; `params` are the named segments of its path."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    origin: str
    remote: str
    version: float = OLDEST_VERSION
    params: dict[str, str] = field(default_factory=dict)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True) if self.query_string else {}

    def parameter(self, name: str, default: str = "") -> str:
        return self.query.get(name, [default])[0]

    def flag(self, name: str) -> bool:
        return self.parameter(name).lower() == "true"

    def header(self, name: str, default: str = "") -> str:
        return self.headers.get(name, default)

    @property
    def wsdl(self) -> int:
        text = self.header("x-zuora-wsdl-version")
        return int(text) if text.isdigit() else 79

    @cached_property
    def plain_body(self) -> bytes:
        """The body as it was before compression.

        Raises:
            Refusal: the body is not what its Content-Encoding says, or is larger than 25 MB.
        """
        body = self.body
        if self.header("content-encoding").lower() == "gzip" and body:
            try:
                body = zlib.decompressobj(31).decompress(body, LARGEST_BODY + 1)
            except zlib.error as wrong:
                raise Refusal(Kind.MALFORMED, "The body is not gzip although Content-Encoding says so.") from wrong
        if len(body) > LARGEST_BODY:
            raise Refusal(Kind.MALFORMED, "The request body is too large.")
        return body

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        Raises:
            Refusal: wrong media type, broken JSON, not an object, or a character of four bytes.
        """
        value = self.any_json
        if not isinstance(value, dict):
            raise Refusal(Kind.MALFORMED, "Malformed request: the body must be a JSON object.")
        return value

    @cached_property
    def any_json(self) -> Any:
        kind = self.header("content-type").split(";")[0].strip().lower()
        if not (kind == "application/json" or kind.endswith("+json")):
            raise Refusal(Kind.MEDIA_TYPE, f"Content type '{kind}' not supported")
        try:
            text = self.plain_body.decode("utf-8")
            value = load(text)
        except (ValueError, RecursionError) as wrong:
            raise Refusal(Kind.MALFORMED, "Malformed request: the body is not valid JSON.") from wrong
        if FOUR_BYTES.search(text) or (
            "\\u" in text and FOUR_BYTES.search(json.dumps(value, ensure_ascii=False, default=str))
        ):
            raise invalid("The request contains characters that are not supported: 4-byte UTF-8.")
        return value


def compressed(answer: Answer, accept: str) -> Answer:
    """Answers over 1,000 bytes are gzipped for those who accept it."""
    if len(answer.body) > 1000 and "gzip" in accept:  # noqa: PLR2004 - Zuora's own threshold
        answer.body = gzip.compress(answer.body, compresslevel=1, mtime=0)
        answer.headers.append(("Content-Encoding", "gzip"))
    return answer
