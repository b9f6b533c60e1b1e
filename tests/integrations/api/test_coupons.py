"""Coupons by Stigg's own client: what it sends is kept, and what we answer it can read."""

import pytest
import stigg

from catalog.models import Coupon
from tests.integrations.api.shapes import DATES, plain

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]


class TestCoupons:
    def test_a_percentage(self, client: stigg.Stigg) -> None:
        made = client.v1.coupons.create(
            id="spring",
            name="Spring",
            percent_off=20,
            amounts_off=None,
            description=None,
            duration_in_months=3,
            metadata=None,
        )

        assert plain(made.data) == DATES | {
            "id": "spring",
            "name": "Spring",
            "type": "PERCENTAGE",
            "description": None,
            "percentOff": 20,
            "amountsOff": None,
            "durationInMonths": 3,
            "status": "ACTIVE",
            "source": "STIGG",
            "metadata": {},
            "billingId": None,
            "billingLinkUrl": None,
            "syncStates": [],
        }

    def test_amounts(self, client: stigg.Stigg) -> None:
        made = client.v1.coupons.create(
            id="ten",
            name="Ten",
            percent_off=None,
            amounts_off=[{"amount": 10.5, "currency": "usd"}, {"amount": 9, "currency": "eur"}],
            description="Off",
            duration_in_months=None,
            metadata={"a": "b"},
        )

        assert [one.to_dict() for one in made.data.amounts_off or ()] == [
            {"amount": 9, "currency": "eur"},
            {"amount": 10.5, "currency": "usd"},
        ]
        assert client.v1.coupons.retrieve("ten").data == made.data

    def test_what_it_takes_off_never_changes(self, client: stigg.Stigg, coupon: Coupon) -> None:
        changed = client.v1.coupons.update_coupon("spring", name="Summer", metadata={"c": "d"})

        assert (changed.data.name, changed.data.metadata) == ("Summer", {"c": "d"})
        with pytest.raises(stigg.BadRequestError, match="percentOff: what a coupon takes off cannot be changed"):
            client.v1.coupons.update_coupon("spring", extra_body={"percentOff": 50})
        coupon.refresh_from_db()
        assert coupon.percent_off == 10

    def test_it_is_archived_once(self, client: stigg.Stigg, coupon: Coupon) -> None:
        assert client.v1.coupons.archive_coupon("spring").data.status == "ARCHIVED"
        with pytest.raises(stigg.BadRequestError, match="archived already"):
            client.v1.coupons.archive_coupon(coupon.ref_id)
        assert [one.id for one in client.v1.coupons.list(status=["ARCHIVED"], type="PERCENTAGE")] == ["spring"]
        assert [one.id for one in client.v1.coupons.list(status=["ACTIVE"])] == []

    @pytest.fixture
    def coupon(self, client: stigg.Stigg) -> Coupon:
        client.v1.coupons.create(
            id="spring",
            name="Spring",
            percent_off=10,
            amounts_off=None,
            description=None,
            duration_in_months=None,
            metadata=None,
        )
        return Coupon.objects.get()
