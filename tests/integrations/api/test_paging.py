"""Lists: page by page in both directions, at the same cost however many rows there are."""

import httpx
import pytest
import stigg
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from tests.factories.catalog import CouponAmountFactory, CouponFactory, FeatureFactory, addon_with_prices
from tests.factories.catalog import plan_with_prices as plan

pytestmark = pytest.mark.django_db
PATH = "/api/v1/features"


@pytest.fixture
def _five(db: None) -> None:
    for number in range(5):
        FeatureFactory.create(ref_id=f"f{number}")


@pytest.mark.usefixtures("_five")
class TestPages:
    def test_forwards_until_there_is_no_next(self, client: stigg.Stigg) -> None:
        pages = list(client.v1.features.list_features(limit=2).iter_pages())

        assert [[one.id for one in page.data] for page in pages] == [["f0", "f1"], ["f2", "f3"], ["f4"]]
        assert [bool(page.pagination and page.pagination.prev) for page in pages] == [False, True, True]

    def test_backwards_until_there_is_no_previous(self, client: stigg.Stigg) -> None:
        last = list(client.v1.features.list_features(limit=2).iter_pages())[-1]
        assert last.pagination is not None
        assert last.pagination.prev is not None

        pages = list(client.v1.features.list_features(limit=3, before=last.pagination.prev).iter_pages())

        assert [[one.id for one in page.data] for page in pages] == [["f1", "f2", "f3"], ["f0"]]
        assert pages[0].pagination is not None
        assert pages[0].pagination.next is not None

    def test_a_row_that_comes_meanwhile_moves_no_other(self, client: stigg.Stigg) -> None:
        first = client.v1.features.list_features(limit=3)
        FeatureFactory.create(ref_id="a-new-one")

        assert [one.id for page in first.iter_pages() for one in page.data] == [
            "f0",
            "f1",
            "f2",
            "f3",
            "f4",
            "a-new-one",
        ]

    def test_beyond_the_end_is_nothing(self, http: httpx.Client, token: str) -> None:
        answer = http.get(PATH, params={"after": "9" * 19}, headers={"X-API-KEY": token})

        assert answer.json() == {"data": [], "pagination": {"next": None, "prev": None}}

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("limit=0", "limit: it is a whole number from 1 to 100."),
            ("limit=101", "limit: it is a whole number from 1 to 100."),
            ("limit=two", "limit: it is a whole number from 1 to 100."),
            ("limit=1&limit=2", "limit is given 2 times: write its values with commas between them."),
            ("after=1&before=2", "send after or before, not both."),
            ("after=x", "after: it is no cursor: send the next or prev of a page's pagination."),
            ("status=ACTIVE,new", "status.1: it should be 'NEW', 'ACTIVE' or 'SUSPENDED'."),
            ("createdAt[gt]=yesterday", "createdAt[gt]: it is no time in ISO 8601 with an offset, for example "),
            ("createdAt=2026", "createdAt: this name is not known here."),
            ("stauts=ACTIVE", "stauts: this name is not known here."),
            ("id=%00", "The address holds characters that no database does."),
        ],
    )
    def test_what_cannot_be_read_is_said(self, http: httpx.Client, token: str, query: str, message: str) -> None:
        answer = http.get(f"{PATH}?{query}", headers={"X-API-KEY": token})

        assert (answer.status_code, answer.json()["code"]) == (400, "BadUserInput")
        assert answer.json()["message"].startswith(message)


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    ("path", "queries"),
    [("plans", 6), ("addons", 6), ("coupons", 5), ("products", 2), ("features", 2), ("plans/pro/charges", 6)],
)
def test_a_page_costs_the_same_for_one_row_and_for_three(
    http: httpx.Client, token: str, path: str, queries: int, rows: int
) -> None:
    plan(ref_id="pro", amounts=dict.fromkeys(("EUR", "USD", "GBP")[:rows], 10))
    for _ in range(rows - 1):
        plan()
    for _ in range(rows):
        addon_with_prices()
        CouponAmountFactory.create(coupon=CouponFactory.create(coupon_type="FIXED", percent_off=None))
        FeatureFactory.create()
    http.get("/api/v1/products", headers={"X-API-KEY": token})  # the first use of a key is noted

    with CaptureQueriesContext(
        database,
    ) as asked:
        answer = http.get(f"/api/v1/{path}", headers={"X-API-KEY": token})

    assert len(answer.json()["data"]) >= rows
    assert len(asked) == queries
