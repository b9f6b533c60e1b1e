"""What the tests of the catalog send and expect again and again."""

from typing import Any

AT = "2026-03-10T12:00:00Z"
DATES = {"createdAt": AT, "updatedAt": AT}
MONTHLY_FLAT: Any = {
    "billing_model": "FLAT_FEE",
    "price_periods": [
        {"billing_period": "MONTHLY", "price": {"amount": 49.99, "currency": "usd"}},
        {"billing_period": "MONTHLY", "price": {"amount": 45, "currency": "eur"}, "billing_country_code": "eu"},
        {"billing_period": "ANNUALLY", "price": {"amount": 500, "currency": "usd"}},
    ],
}


def plain(model: Any) -> Any:
    return model.to_dict(mode="json")
