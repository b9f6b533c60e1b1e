"""What subscriptions were: rows that the program writes when one changes, to look at."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from subscriptions.models import PastContent, PastTerms


class _PastAdmin(admin.ModelAdmin[Any]):
    search_fields = ("subscription__ref_id",)
    ordering = ("-ends_at", "-pk")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Django asks it of every row that would go with a subscription; by itself none goes.
        return obj is not None and request.user.has_perm("subscriptions.delete_subscription")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        raise PermissionDenied

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "show_delete": False})


@admin.register(PastContent)
class PastContentAdmin(_PastAdmin):
    """Quantities, prices, coupon: what was billed."""

    list_display = ("subscription", "starts_at", "ends_at")
    list_select_related = ("subscription",)


@admin.register(PastTerms)
class PastTermsAdmin(_PastAdmin):
    """Who had it in which version: what usage is charged by."""

    list_display = ("subscription", "customer", "plan", "plan_version_number", "starts_at", "ends_at")
    list_select_related = ("subscription", "customer", "plan")
