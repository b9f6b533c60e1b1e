"""OAuth: client credentials for a bearer token of about an hour.

Source: https://developer.zuora.com/v1-api-reference/api/operation/createToken/
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from integrations.zuora.standin.tenant import USER_ID, Tenant
from integrations.zuora.standin.wire import Answer, Request, json_answer

LIFETIME = 3599
TENANT_NUMBER = 10_042
DEFAULT_CLIENTS = {"demo-client": "demo-secret"}


def create_token(tenant: Tenant, clients: dict[str, str], request: Request) -> Answer:
    """A token, 400 for a request that is none, 401 for a client that may not."""
    if request.header("content-type").split(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return json_answer({"code": "invalid_request", "message": "The request must be form-urlencoded."}, 400)
    try:
        form = {name: values[0] for name, values in parse_qs(request.plain_body.decode("ascii")).items()}
    except UnicodeDecodeError:
        form = {}
    missing = [name for name in ("client_id", "client_secret", "grant_type") if not form.get(name)]
    if missing or form["grant_type"] != "client_credentials":
        detail = f"Missing: {', '.join(missing)}." if missing else "grant_type must be client_credentials."
        return json_answer({"code": "invalid_request", "message": detail}, 400)
    secret = clients.get(form["client_id"])
    known = secret is not None and hmac.compare_digest(secret.encode(), form["client_secret"].encode())
    if not known or not tenant.switches.user_active:
        return json_answer({"message": "Invalid client id or secret, or the client's user is not active."}, 401)
    token = tenant.store.new_id()
    expires = tenant.clock.now() + timedelta(seconds=LIFETIME)
    _forget_expired(tenant)
    tenant.store.put("Token", {"Id": token, "Expires": expires.isoformat()})
    scope = f"user.{USER_ID} entity.8ad00000000000000000000000entity service.usage.delete tenant.{TENANT_NUMBER}"
    body = {
        "access_token": token,
        "token_type": "bearer",
        "expires_in": LIFETIME,
        "scope": scope,
        "jti": tenant.store.new_id(),
    }
    return json_answer(body)


def _forget_expired(tenant: Tenant) -> None:
    if tenant.store.count("Token") > 200:  # noqa: PLR2004 - a few hundred cost nothing
        now = tenant.clock.now().isoformat()
        for row in [one for one in tenant.store.all("Token") if one["Expires"] < now]:
            tenant.store.delete("Token", row["Id"])


def authorized(tenant: Tenant, request: Request) -> bool:
    """Whether the request carries a token that is known and alive."""
    scheme, _, token = request.header("authorization").partition(" ")
    if scheme.lower() != "bearer" or not tenant.switches.user_active:
        return False
    row = tenant.store.get("Token", token.strip())
    return row is not None and datetime.fromisoformat(row["Expires"]) > tenant.clock.now()


def revoke_all(tenant: Tenant) -> None:
    """Kill every token, as a changed client secret or a deactivated user does."""
    with tenant.store.transaction():
        for row in list(tenant.store.all("Token")):
            tenant.store.delete("Token", row["Id"])
