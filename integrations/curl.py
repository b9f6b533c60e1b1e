"""A recorded exchange as a command that a person can run again: without anything secret."""

from shlex import quote

from integrations.models import Request
from integrations.zuora.body import KEPT_CHARACTERS
from integrations.zuora.client import WSDL_VERSION, ZUORA_VERSION

#: What stands in for the parts that are not kept: the shell fills them in.
_AUTHORIZATION = '"Authorization: Bearer $ZUORA_TOKEN"'
_BASE_URL = "$ZUORA_REST_URL"
_SENDING = {"POST", "PUT", "PATCH"}


def curl_of(exchange: Request, *, rest_url: str = "") -> str:
    """Return the exchange as a curl command for a POSIX shell, a line for each argument.

    The token is left to `$ZUORA_TOKEN`, and without `rest_url` the address to `$ZUORA_REST_URL`; blotted out parts of a
    body stay blotted out. The idempotency key is in it, so that Zuora repeats its answer for a day instead of doing the
    same thing twice; what cannot be sent as it is begins with a comment that says so.
    """
    address = quote(rest_url + exchange.path) if rest_url else f'"{_BASE_URL}"{quote(exchange.path)}'
    is_login = exchange.path.startswith("/oauth/")
    parts = [f"curl --request {quote(exchange.method)} {address}"]
    if not is_login:
        parts += [f"--header {_AUTHORIZATION}", f"--header 'Zuora-Version: {ZUORA_VERSION}'"]
    if exchange.path.startswith(("/v1/object/", "/v1/action/")):
        parts.append(f"--header 'X-Zuora-WSDL-Version: {WSDL_VERSION}'")
    if exchange.idempotency_key:
        parts.append(f"--header {quote(f'Idempotency-Key: {exchange.idempotency_key}')}")
    if exchange.body or exchange.method in _SENDING:
        kind = "application/x-www-form-urlencoded" if is_login else "application/json"
        parts += [f"--header 'Content-Type: {kind}'", f"--data-raw {quote(exchange.body)}"]
    return "".join(f"# {remark}\n" for remark in _remarks(exchange)) + " \\\n  ".join(parts)


def _remarks(exchange: Request) -> list[str]:
    remarks = []
    if "[hidden]" in exchange.body:
        remarks.append("Secrets are not kept: fill in what says [hidden] first.")
    if len(exchange.body) > KEPT_CHARACTERS:
        remarks.append("The body was too long to be kept whole: it ends early.")
    if exchange.method != "GET" and not exchange.idempotency_key:
        remarks.append("Running this changes Zuora once more.")
    return remarks
