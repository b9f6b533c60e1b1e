from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from subscriptions.models import ScheduledChange, Subscription


class ScheduledChangeInline(admin.TabularInline[ScheduledChange, Subscription]):
    """What is scheduled, and what became of it; an action of the list calls it off."""

    model = ScheduledChange
    fk_name = "subscription"
    fields = readonly_fields = ("change_type", "in_words", "effective_at", "status", "problem", "settled_at")
    extra = 0
    can_delete = False

    @admin.display(description="will be")
    def in_words(self, change: ScheduledChange) -> str:
        return change.in_words

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
