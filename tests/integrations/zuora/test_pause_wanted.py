import pytest

from integrations.zuora.budget import pause_wanted


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0.0),
        (200, {"Retry-After": "9"}, 0.0),
        (429, {"Retry-After": "9"}, 9.0),
        (429, {}, 5.0),
        (429, {"Retry-After": "0"}, 5.0),
        (503, {"retry-after": "9"}, 9.0),
        (503, {}, 0.0),
        (429, {"Retry-After": "86400"}, 300.0),
        (200, {"ratelimit-remaining": "399", "ratelimit-reset": "1200"}, 0.0),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12.0),
        (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12.0),
        (200, {"Rate-Limit-Remaining": "0, 50000;w=60", "Rate-Limit-Reset": "12"}, 12.0),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "soon"}, 0.0),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": "40", "Retry-After": "3"}, 40.0),
        (200, {"Concurrency-Remaining": "1"}, 0.0),
        (200, {"concurrency-remaining": "0"}, 0.25),
        (200, {"ratelimit-remaining": "nan", "concurrency-remaining": "many"}, 0.0),
    ],
)
def test_what_the_tenant_asks_for(status: int, headers: dict[str, str], seconds: float) -> None:
    assert pause_wanted(status, headers) == seconds
