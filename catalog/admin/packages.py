from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html

from catalog import publishing
from catalog.admin.entity import EntityAdmin
from catalog.admin.prices import costs
from catalog.dependencies import refuse_self
from catalog.models import Addon, PackageStatus, Plan, Price

P = TypeVar("P", bound=Plan | Addon)


class PriceInline(admin.TabularInline[Price, Any]):
    """The prices of all versions, to look at; each is edited on its own page, with its amounts and tiers."""

    model = Price
    fields = ("version_number", "billing_model", "billing_cadence", "billing_period", "feature", "costs", "page")
    readonly_fields = fields
    ordering = ("-version_number", "billing_period", "billing_model", "pk")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        # A price's name holds its feature's unit.
        return super().get_queryset(request).select_related("feature", "plan", "addon").prefetch_related("amounts")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="amounts")
    def costs(self, price: Price) -> str:
        return costs(price)

    @admin.display(description="")
    def page(self, price: Price) -> str:
        drafted = price.version_number > price.package.version_number or not price.package.is_published
        address = reverse("admin:catalog_price_change", args=[price.pk])
        return format_html('<a href="{}">{}</a>', address, "Change" if drafted else "View")


class PackageAdmin(EntityAdmin[P]):
    list_display = ("ref_id", "display_name", "product", "pricing_type", "status", "version_number")
    list_filter = ("status", "pricing_type", "product")
    list_select_related = ("product",)
    search_fields = ("ref_id", "display_name", "billing_id")
    autocomplete_fields: ClassVar[tuple[str, ...]] = ("product",)
    readonly_fields = ("status", "version_number", "add_price")
    inlines = (PriceInline,)
    actions = ("publish", "start_draft", "archive", "unarchive")
    own_fields: tuple[str, ...] = ()
    change_form_template = "admin/catalog/package_change_form.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer on the package's own page what can be done with it now."""
        package = self.get_object(request, object_id)
        context = {**(extra_context or {}), "package_actions": _actions_for(package) if package else ()}
        return super().change_view(request, object_id, form_url, context)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[P], *args: Any, **kwargs: Any
    ) -> HttpResponse | None:
        response = super().response_action(request, queryset, *args, **kwargs)
        if "from_its_page" in request.POST:
            opts = self.opts
            return redirect(f"admin:{opts.app_label}_{opts.model_name}_change", request.POST[ACTION_CHECKBOX_NAME])
        return response

    def get_fieldsets(self, request: HttpRequest, obj: P | None = None) -> Any:
        sale = ("pricing_type", "status", "version_number")
        return (
            (None, {"fields": ("ref_id", "product", "display_name", "description", *self.own_fields)}),
            (
                "Sale",
                {
                    "fields": (*sale, "add_price") if obj else sale,
                    "description": "Published, drafted and archived by the buttons above.",
                },
            ),
            ("More", {"fields": ("billing_id", "metadata")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: P | None = None) -> list[Any] | tuple[Any, ...]:
        readonly = super().get_readonly_fields(request, obj)
        # Stigg moves subscriptions between plans of different types, it does not change the type under them.
        return (*readonly, "pricing_type") if obj is not None and obj.is_published else readonly

    @admin.display(description="new price")
    def add_price(self, package: P) -> str:
        draft = publishing.drafted_version(package=package)
        if draft is None:
            return "There is no draft: start one above."
        owner = "plan" if isinstance(package, Plan) else "addon"
        return format_html(
            '<a href="{}?{}={}">Add a price to version {}</a>',
            reverse("admin:catalog_price_add"),
            owner,
            package.pk,
            draft,
        )

    @admin.action(description="Publish", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[P]) -> None:
        self.each(request, queryset, verb=lambda package: publishing.publish(package=package), done="published")

    @admin.action(description="Start a draft", permissions=["change"])
    def start_draft(self, request: HttpRequest, queryset: QuerySet[P]) -> None:
        self.each(
            request,
            queryset,
            verb=lambda package: publishing.start_draft(package=package),
            done="its prices can be changed in the draft now",
        )

    @admin.action(description="Archive", permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[P]) -> None:
        self.each(request, queryset, verb=lambda package: publishing.archive(package=package), done="archived")

    @admin.action(description="Unarchive", permissions=["change"])
    def unarchive(self, request: HttpRequest, queryset: QuerySet[P]) -> None:
        self.each(request, queryset, verb=lambda package: publishing.unarchive(package=package), done="on sale again")


def _actions_for(package: Plan | Addon) -> list[tuple[str, str]]:
    """Return (action, label) of what can be done now, the likeliest first."""
    if package.status == PackageStatus.ARCHIVED:
        return [("unarchive", "Unarchive")]
    if package.status == PackageStatus.DRAFT:
        return [("publish", "Publish")]
    drafted = publishing.drafted_version(package=package) is not None
    return [("publish", "Publish the draft") if drafted else ("start_draft", "Start a draft"), ("archive", "Archive")]


@admin.register(Plan)
class PlanAdmin(PackageAdmin[Plan]):
    autocomplete_fields = ("product", "compatible_addons", "parent")
    own_fields = ("compatible_addons", "parent")

    def get_fieldsets(self, request: HttpRequest, obj: Plan | None = None) -> Any:
        trial = {
            "fields": ("trial_duration", "trial_units", "trial_end_behavior"),
            "description": "How a customer begins who has had neither a trial nor a paid plan of the product, unless "
            "the order says otherwise.",
        }
        main, sale, *rest = super().get_fieldsets(request, obj)
        return (main, sale, ("Default trial", trial), *rest)


class AddonForm(forms.ModelForm[Addon]):
    def clean_dependencies(self) -> Any:
        dependencies = self.cleaned_data["dependencies"]
        refuse_self(addon=self.instance, dependencies=dependencies)
        return dependencies


@admin.register(Addon)
class AddonAdmin(PackageAdmin[Addon]):
    form = AddonForm
    autocomplete_fields = ("product", "dependencies")
    own_fields = ("max_quantity", "dependencies")
