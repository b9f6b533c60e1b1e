"""A client that notes what would be sent and sends nothing: the real push runs against it, to be shown to a person.

What a push reads comes from Zuora, but not while the push runs: a rehearsal happens inside a transaction that is
rolled back, and no transaction may wait for Zuora. So a read that is not known yet ends the rehearsal with
`NotReadYet`; whoever rehearses reads it then, outside of the transaction, and rehearses again.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from integrations.zuora.answers import Answer
from integrations.zuora.body import decode, encode
from integrations.zuora.client import Client
from integrations.zuora.errors import NotFound, ZuoraError

#: How an id begins that Zuora has not given yet.
NEW = "new-"
_NOUNS = {
    "/v1/object/product": "product",
    "/v1/object/product-rate-plan": "rate-plan",
    "/v1/object/product-rate-plan-charge": "charge",
    "/v1/accounts": "account",
    "/v1/orders": "order",
    "/settings/units-of-measure": "unit",
}
_READING_POSTS = {"/v1/action/query", "/v1/action/queryMore"}


class NotReadYet(BaseException):
    """The push wants to read something; `read` reads it from Zuora, for the next rehearsal."""

    def __init__(self, read: Callable[[], None]) -> None:
        super().__init__("read it, and rehearse again")
        self.read = read


@dataclass(frozen=True)
class Write:
    """A request that would be sent; `made` is the id that stands for the object it makes, or nothing."""

    method: str
    path: str
    body: Any
    made: str = ""


@dataclass
class Reads:
    """What was read from Zuora for one preview: the answers, or the errors, by request."""

    known: dict[Any, Any] = field(default_factory=dict)


class RehearsingClient(Client):
    """Answers reads by what is known, and writes as if Zuora had done them."""

    def __init__(self, real: Client, reads: Reads) -> None:
        """Take the reads of earlier rehearsals; `real` is only asked by `NotReadYet.read`."""
        super().__init__(real._credentials)  # noqa: SLF001 - of the same family
        self._real = real
        self._reads = reads
        self.writes: list[Write] = []

    def _call(self, method: str, path: str, judge: Callable[[Answer], Any], **more: Any) -> Any:
        if method != "GET" and path not in _READING_POSTS:
            return judge(self._write(method, path, more.get("body")))
        query = more.get("query")
        if NEW in f"{path}{query}":
            return self._nothing(path)
        body = more.get("body")
        key = (method, path, tuple(query or ()), body if body is None else _bytes(body))
        if key not in self._reads.known:
            raise NotReadYet(lambda: self._read(key, method, path, judge, more))
        known = self._reads.known[key]
        if isinstance(known, ZuoraError):
            raise known
        return deepcopy(known)

    def _read(self, key: Any, method: str, path: str, judge: Callable[[Answer], Any], more: Mapping[str, Any]) -> None:
        try:
            self._reads.known[key] = self._real._call(method, path, judge, **more)  # noqa: SLF001 - of the same family
        except ZuoraError as error:
            self._reads.known[key] = error

    def _nothing(self, path: str) -> dict[str, Any]:
        """Answer a read about an object that is not there yet."""
        if path.startswith("/object-query/") and path.count("/") == 2:  # noqa: PLR2004 - a list, not an object's key
            return {"data": []}
        raise NotFound("It is not there yet.", status=HTTPStatus.NOT_FOUND)

    def _write(self, method: str, path: str, body: Any) -> Answer:
        raw = _bytes(body)
        plain = decode(raw)
        noun = _NOUNS.get(path, "") if method == "POST" else ""
        count = sum(bool(write.made) for write in self.writes)
        made = f"{NEW}{noun}-{count + 1}" if noun else ""
        self.writes.append(Write(method, path, plain, made))
        return Answer(HTTPStatus.OK, {"content-type": "application/json"}, as_text(_answer(path, plain, made)))


def _answer(path: str, body: Any, made: str) -> Any:
    """Return what Zuora says to a success: all that any caller looks for."""
    if path.startswith("/v1/action/"):
        rows = body.get("objects") or body.get("ids") or []
        return [{"Success": True, "Id": f"{NEW}object-{number}"} for number, _ in enumerate(rows, start=1)]
    name = made or path.rpartition("/")[2]
    answer = {"success": True, "Success": True, "id": name, "Id": name, "accountId": name, "orderId": name}
    if path == "/v1/orders":
        answer |= {
            "orderNumber": body.get("orderNumber", name),
            "status": "Completed",
            "subscriptions": [{"subscriptionId": f"{NEW}version"}],
        }
    return answer


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else encode(body or {})


def as_text(value: Any) -> str:
    """Return JSON; the house's own writer takes objects only."""
    if isinstance(value, list):
        return f"[{','.join(encode(row).decode() for row in value)}]"
    return encode(value).decode()
