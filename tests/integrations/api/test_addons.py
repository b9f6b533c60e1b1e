"""Add-ons by Stigg's own client: they go the way that plans go, and need one another."""

import pytest
import stigg

from tests.factories.catalog import AddonFactory, ProductFactory
from tests.integrations.api.shapes import MONTHLY_FLAT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_noon")]


class TestAddons:
    def test_an_addon_goes_the_same_way(self, client: stigg.Stigg) -> None:
        ProductFactory.create(ref_id="app")

        made = client.v1.addons.create(id="more", display_name="More", product_id="app", max_quantity=5)
        assert (made.data.status, made.data.max_quantity) == ("DRAFT", 5)
        client.v1.addons.update(
            "more",
            max_quantity=None,
            billing_id="P-9",
            charges={"pricing_type": "PAID", "pricing_models": [MONTHLY_FLAT]},
        )
        client.v1.addons.publish("more", migration_type="NEW_CUSTOMERS")
        found = client.v1.addons.retrieve("more").data
        assert (found.status, found.version_number, found.max_quantity, found.billing_id, found.pricing_type) == (
            "PUBLISHED",
            1,
            None,
            "P-9",
            "PAID",
        )
        assert client.v1.addons.create_draft("more").data.version_number == 2
        assert client.v1.addons.remove_draft("more").data.id == "more"
        assert len(list(client.v1.addons.list_charges("more"))) == 3
        assert [one.id for one in client.v1.addons.list()] == ["more"]
        assert client.v1.addons.archive("more").data.status == "ARCHIVED"

    def test_what_it_needs_is_kept_as_a_whole(self, client: stigg.Stigg) -> None:
        for name in ("phone", "support", "chat"):
            AddonFactory.create(ref_id=name, display_name=name.title())

        client.v1.addons.update("phone", dependencies=["support", "chat"])
        assert client.v1.addons.update("phone", display_name="Telephone").data.dependencies == ["chat", "support"]
        assert client.v1.addons.list().data[0].dependencies == ["chat", "support"]
        with pytest.raises(stigg.BadRequestError, match="Telephone cannot need itself"):
            client.v1.addons.update("phone", dependencies=["phone"])
        with pytest.raises(stigg.NotFoundError, match="No add-on has the id 'none'"):
            client.v1.addons.update("phone", dependencies=["none"])
        assert client.v1.addons.update("phone", dependencies=[]).data.dependencies == []

    def test_its_status_is_changed_by_publishing_and_archiving(self, client: stigg.Stigg) -> None:
        AddonFactory.create(ref_id="more")

        client.v1.addons.update("more", status="PUBLISHED")
        with pytest.raises(stigg.BadRequestError, match="publish or archive it"):
            client.v1.addons.update("more", status="ARCHIVED")
