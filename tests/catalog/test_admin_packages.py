"""What a plan's own page offers."""

import pytest
from django.test import Client

from catalog.models import PackageStatus
from catalog.publishing import drafted_version, start_draft
from tests.admin_pages import text, url
from tests.factories.catalog import plan_with_prices

pytestmark = pytest.mark.django_db


def _buttons(page: str) -> list[str]:
    return [part.partition("<")[0] for part in page.split('<button class="object-action">')[1:]]


@pytest.mark.parametrize(
    ("status", "drafted", "buttons"),
    [
        (PackageStatus.DRAFT, False, ["Publish"]),
        (PackageStatus.PUBLISHED, False, ["Start a draft", "Archive"]),
        (PackageStatus.PUBLISHED, True, ["Publish the draft", "Archive"]),
        (PackageStatus.ARCHIVED, False, ["Unarchive"]),
    ],
)
def test_it_offers_what_can_be_done_now(
    admin_client: Client, status: PackageStatus, buttons: list[str], *, drafted: bool
) -> None:
    plan = plan_with_prices(status=status)
    if drafted:
        start_draft(package=plan)
    assert _buttons(text(admin_client.get(url("catalog_plan", "change", plan.pk)))) == buttons


def test_a_button_does_it_and_comes_back_to_the_page(admin_client: Client) -> None:
    plan = plan_with_prices()
    form = {"from_its_page": "1", "action": "start_draft", "_selected_action": str(plan.pk)}
    response = admin_client.post(url("catalog_plan", "changelist"), form)
    assert response["Location"] == url("catalog_plan", "change", plan.pk)
    assert drafted_version(package=plan) == 2


def test_a_drafted_price_is_changed_and_one_on_sale_is_viewed(admin_client: Client) -> None:
    plan = plan_with_prices()
    start_draft(package=plan)
    page = text(admin_client.get(url("catalog_plan", "change", plan.pk)))
    drafted, on_sale = plan.prices.order_by("-version_number")
    assert f'<a href="{url("catalog_price", "change", drafted.pk)}">Change</a>' in page
    assert f'<a href="{url("catalog_price", "change", on_sale.pk)}">View</a>' in page
