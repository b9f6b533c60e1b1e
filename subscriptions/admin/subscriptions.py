from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from catalog.admin.entity import EntityAdmin
from catalog.models import CancellationTime
from subscriptions.admin.content import AddonInline, OverrideInline, QuantityInline
from subscriptions.admin.schedule import ScheduledChangeInline
from subscriptions.cancelling import cancel
from subscriptions.models import OPEN, Subscription
from subscriptions.past import keep_past, present
from subscriptions.scheduling import call_off


@admin.register(Subscription)
class SubscriptionAdmin(EntityAdmin[Subscription]):
    list_display = ("ref_id", "customer", "plan", "billing_period", "status", "start_date", "cancellation_date")
    list_filter = ("status", "billing_period", "plan")
    list_select_related = ("customer", "plan")
    search_fields = ("ref_id", "customer__ref_id", "customer__name", "plan__ref_id", "resource_id", "billing_id")
    autocomplete_fields = ("customer", "paying_customer", "plan", "coupon")
    readonly_fields = ("effective_end_date", "cancel_reason", "created_at", "updated_at")
    immutable_fields = ("ref_id", "customer")
    fieldsets = (
        (None, {"fields": ("ref_id", "customer", "paying_customer", "resource_id")}),
        ("What is sold", {"fields": ("plan", "plan_version_number", "billing_period", "coupon")}),
        ("Life", {"fields": ("status", "start_date", "billed_from", "trial_end_date", "trial_end_behavior")}),
        ("Payment", {"fields": ("payment_collection", "payment_collection_method")}),
        (
            "End",
            {
                "fields": (
                    "cancellation_time",
                    "cancellation_date",
                    "billed_until",
                    "effective_end_date",
                    "cancel_reason",
                ),
                "description": "The actions of the list cancel now or at the end of the billing period.",
            },
        ),
        ("More", {"fields": ("billing_id", "billing_information", "metadata", "created_at", "updated_at")}),
    )
    # Add-ons first: what follows is checked against those of the same request.
    inlines = (AddonInline, QuantityInline, OverrideInline, ScheduledChangeInline)
    actions = ("cancel_now", "cancel_at_period_end", "call_off_changes")

    def get_inlines(self, request: HttpRequest, obj: Subscription | None) -> Any:
        # Which prices can be overridden is known once there is a plan.
        inlines = super().get_inlines(request, obj)
        later = {OverrideInline, ScheduledChangeInline}
        return inlines if obj else [inline for inline in inlines if inline not in later]

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: Any) -> None:
        before = Subscription.objects.filter(pk=obj.pk).first() if change else None
        form.terms_before = present(before) if before else None
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        super().save_related(request, form, formsets, change)
        if form.terms_before is not None:
            keep_past(form.instance, before=form.terms_before, at=timezone.now())

    @admin.action(description="Call off what is scheduled", permissions=["change"])
    def call_off_changes(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        now = timezone.now()
        self.each(
            request,
            queryset.select_related("customer"),
            verb=lambda subscription: call_off(subscription=subscription, statuses=OPEN, now=now),
            done="stays as it is",
        )

    @admin.action(description="Cancel now", permissions=["change"])
    def cancel_now(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._cancel(request, queryset, CancellationTime.IMMEDIATE)

    @admin.action(description="Cancel at the end of the billing period", permissions=["change"])
    def cancel_at_period_end(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        self._cancel(request, queryset, CancellationTime.END_OF_BILLING_PERIOD)

    def _cancel(self, request: HttpRequest, queryset: QuerySet[Subscription], time: CancellationTime) -> None:
        now = timezone.now()
        self.each(
            request,
            queryset,
            verb=lambda subscription: cancel(subscription=subscription, time=time, now=now),
            done="cancelled" if time == CancellationTime.IMMEDIATE else "will end with its billing period",
        )
