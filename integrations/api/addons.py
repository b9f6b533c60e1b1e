"""Add-ons (https://docs.stigg.io/api-reference/addons)."""

from collections.abc import Sequence
from http import HTTPStatus

from pydantic import Field

from catalog.dependencies import set_dependencies
from catalog.models import Addon, PackageStatus
from integrations.api.errors import bad_input
from integrations.api.finding import find
from integrations.api.operation import Call, operation
from integrations.api.packages import (
    RENAMED,
    PackageChange,
    PackageIn,
    PackageOut,
    PackageQuery,
    asked,
    change,
    drafts,
    find_addons,
    make,
    told,
)
from integrations.api.paging import page
from integrations.api.sale import sale_operations
from integrations.api.schema import Count, Data, Page, Text
from integrations.api.sync_states import standings
from integrations.api.writing import values
from integrations.models import EntityKind

_TAG = "Add-ons"


class AddonIn(PackageIn):
    """An add-on; it begins as a draft."""

    max_quantity: Count | None = Field(None, description="How many of it one subscription may hold; null: any number.")


class AddonChange(PackageChange):
    """What of an add-on can be changed; charges are those of the draft, all at once."""

    dependencies: list[Text] | None = Field(
        None, max_length=100, description="Add-ons that a subscription must hold to hold this one; all at once."
    )
    max_quantity: Count | None = None
    status: PackageStatus | None = Field(None, description="As it is: publish or archive it to change that.")


class AddonOut(PackageOut):
    """An add-on."""

    dependencies: list[str]
    max_quantity: int | None


@operation("POST", "/api/v1/addons", tag=_TAG, status=HTTPStatus.CREATED)
def create_addon(_call: Call, *, body: AddonIn) -> Data[AddonOut]:
    """Make an add-on, as a draft."""
    given = values(body, kind=Addon, renamed=RENAMED, without=("product_id", "status"))
    return _data(make(Addon(**given), body=body))


@operation("GET", "/api/v1/addons", tag=_TAG)
def list_addons(_call: Call, *, query: PackageQuery) -> Page[AddonOut]:
    """List add-ons, as they are on sale."""
    rows = asked(Addon.objects.all(), query).select_related("product").prefetch_related("prices", "dependencies")
    return page(rows, query=query, write=_out)


@operation("GET", "/api/v1/addons/{addon_id}", tag=_TAG)
def retrieve_addon(_call: Call, *, addon_id: str) -> Data[AddonOut]:
    """Read an add-on, as it is on sale."""
    return _data(find(Addon.objects.all(), addon_id))


@operation("PATCH", "/api/v1/addons/{addon_id}", tag=_TAG)
def update_addon(_call: Call, *, body: AddonChange, addon_id: str) -> Data[AddonOut]:
    """Change an add-on, and the charges of its draft; metadata and charges are replaced as a whole."""
    addon = find(Addon.objects.all(), addon_id)
    if body.status is not None and body.status != addon.status:
        raise bad_input(f"status: {addon} is {addon.status}; publish or archive it to change that.")
    apart = ("charges", "dependencies", "status")
    change(addon, body=body, changes=values(body, kind=Addon, renamed=RENAMED, without=apart))
    if "dependencies" in body.model_fields_set:
        set_dependencies(addon=addon, dependencies=find_addons(body.dependencies or ()))
    return _data(addon, drafted=body.charges is not None)


def _data(addon: Addon, *, drafted: bool = False) -> Data[AddonOut]:
    return Data(data=_out([addon], drafted=drafted)[0])


def _out(addons: Sequence[Addon], *, drafted: bool = False) -> list[AddonOut]:
    standing = standings(EntityKind.ADDON, addons)
    draft = drafts(addons)
    return [
        AddonOut(
            **told(addon, draft=draft[addon.pk], standing=standing[addon.pk], drafted=drafted),
            dependencies=[one.ref_id for one in addon.dependencies.all()],
            max_quantity=addon.max_quantity,
        )
        for addon in addons
    ]


create_addon_draft, remove_addon_draft, list_addon_charges, publish_addon, archive_addon = sale_operations(
    Addon, one="addon", tag=_TAG, tell=_data, answers=Data[AddonOut]
)
