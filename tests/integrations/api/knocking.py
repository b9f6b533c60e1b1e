"""Requests at the API's door, and what an answer of it always holds."""

import json
from typing import Any

import httpx

ONE = {"customerId": "acme", "featureId": "api-calls", "value": 3, "idempotencyKey": "k1"}
BATCH = json.dumps({"usages": [ONE]})


def post(
    http: httpx.Client, token: str, content: str | bytes = BATCH, path: str = "/api/v1/usage", **headers: str
) -> Any:
    return http.post(path, content=content, headers={"X-API-KEY": token, "Content-Type": "application/json"} | headers)


def code(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) <= {"message", "code", "traceId", "errors"}
    assert body["traceId"] == answer.headers["X-Trace-Id"]
    return answer.status_code, body["code"]
