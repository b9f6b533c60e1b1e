"""The sync's raw rows: to look at, to retry, never to make up."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import actions
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integrations import api_keys, operating, people
from integrations.links import link_into_tenant
from integrations.models import (
    ApiKey,
    AuditEntry,
    Connection,
    Delivery,
    EntityKind,
    JobState,
    Request,
    Scope,
    SyncJob,
    SyncRecord,
)
from integrations.people import Role
from integrations.sections import url_of_key
from usage.models import UnattributedUsage


@admin.action(description="Delete selected %(verbose_name_plural)s", permissions=["delete"])
def delete_selected(model_admin: admin.ModelAdmin[Any], request: HttpRequest, rows: QuerySet[Any]) -> Any:
    """Delete as Django does, and leave a line: of several rows at once it sends no signal."""
    names = [str(row) for row in rows[:_NAMED]] if request.POST.get("post") else []
    count = rows.count() if names else 0
    answer = actions.delete_selected(model_admin, request, rows)
    if answer is None and count > 1:
        actor = request.user if isinstance(request.user, User) else None
        subject = f"{count} x {model_admin.opts.verbose_name}"
        operating.note(actor=actor, action="delete in raw rows", subject=subject, now=timezone.now(), rows=names)
    return answer


_NAMED = 100
admin.site.disable_action("delete_selected")
admin.site.add_action(delete_selected, "delete_selected")


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that the program writes: nobody adds, changes or deletes them here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_sync_permission(self, request: HttpRequest) -> bool:
        """Return whether the actions may be used: Django asks by this name."""
        return request.user.has_perm("integrations.change_syncjob")


def _sync(model_admin: ReadOnlyAdmin, request: HttpRequest, wanted: Iterable[tuple[str, int]]) -> None:
    """Push entities, given as (kind, id), and say how many."""
    if not isinstance(request.user, User):
        return
    count = 0
    try:
        for kind, group in groupby(sorted(set(wanted)), key=lambda one: one[0]):
            count += operating.sync_now(
                kind=EntityKind(kind), entity_ids=[pk for _, pk in group], actor=request.user, now=timezone.now()
            )
    except operating.Impossible as answer:
        model_admin.message_user(request, str(answer), messages.ERROR)
        return
    model_admin.message_user(request, f"{count} on {'its' if count == 1 else 'their'} way.", messages.SUCCESS)


def _page(key: str) -> SafeString | str:
    url = url_of_key(key)
    return format_html('<a href="{}">{}</a>', url, key) if url else key


@admin.register(SyncJob)
class SyncJobAdmin(ReadOnlyAdmin):
    list_display = ["entity", "state", "reason", "waiting_for", "attempts", "priority", "not_before", "finished_at"]
    list_filter = ["state", "kind", "priority"]
    list_select_related = False
    search_fields = ["key", "reason"]
    actions = ["retry"]
    exclude = ["connection"]
    show_full_result_count = False

    @admin.display(ordering="key")
    def entity(self, job: SyncJob) -> SafeString | str:
        return _page(job.key)

    @admin.action(description="Retry the failed ones", permissions=["sync"])
    def retry(self, request: HttpRequest, jobs: QuerySet[SyncJob]) -> None:
        failed = jobs.filter(state=JobState.FAILED).order_by()
        _sync(self, request, failed.values_list("kind", "entity_id"))


@admin.register(SyncRecord)
class SyncRecordAdmin(ReadOnlyAdmin):
    list_display = ["entity", "kind", "status", "billing_id", "error", "status_since"]
    list_filter = ["status", "kind", "linked_by_hand"]
    search_fields = ["key", "zuora_id", "zuora_number"]
    actions = ["sync_now"]
    exclude = ["connection"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRecord]:
        records = super().get_queryset(request)
        return records.select_related("connection").defer("connection__client_secret")

    @admin.display(ordering="key")
    def entity(self, record: SyncRecord) -> SafeString | str:
        return _page(record.key)

    @admin.display(description="billing ID", ordering="zuora_id")
    def billing_id(self, record: SyncRecord) -> SafeString | str:
        url = link_into_tenant(record)
        shown = record.zuora_number or record.zuora_id
        if not url:
            return shown or "\N{EN DASH}"
        return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, shown)

    @admin.action(description="Sync now", permissions=["sync"])
    def sync_now(self, request: HttpRequest, records: QuerySet[SyncRecord]) -> None:
        _sync(self, request, records.order_by().values_list("root_kind", "root_id"))


@admin.register(Connection)
class ConnectionAdmin(ReadOnlyAdmin):
    list_display = ["tenant_id", "rest_url", "connected_at", "removed_at", "down_since"]
    exclude = ["client_secret"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        connections: QuerySet[Connection] = super().get_queryset(request)
        return connections.defer("client_secret")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["track_id", "entity", "outcome", "error", "started_at", "finished_at", "worker"]
    list_filter = ["outcome"]
    list_select_related = ["job"]
    search_fields = ["track_id", "job__key"]
    raw_id_fields = ["job"]
    show_full_result_count = False

    @admin.display(ordering="job__key")
    def entity(self, delivery: Delivery) -> SafeString | str:
        return _page(delivery.job.key)


@admin.register(Request)
class RequestAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "method", "path", "status", "duration_ms", "error", "track_id", "zuora_request_id"]
    list_filter = ["method", "status"]
    search_fields = ["track_id", "zuora_request_id", "path"]
    exclude = ["connection"]
    show_full_result_count = False


@admin.register(UnattributedUsage)
class UnattributedUsageAdmin(ReadOnlyAdmin):
    list_display = ["customer", "feature", "resource_id", "starts_at", "ends_at", "change", "event_count"]
    list_select_related = ["customer", "feature"]
    search_fields = ["customer__ref_id", "feature__ref_id", "resource_id"]
    show_full_result_count = False


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor_name", "action", "subject"]
    list_filter = ["action"]
    search_fields = ["actor_name", "subject"]
    show_full_result_count = False


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Keys are made and revoked; what a key may do never changes, and nobody sees its token twice."""

    list_display = ["name", "prefix", "scope", "created_by", "created_at", "last_used_at", "revoked_at"]
    list_filter = ["scope", ("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["created_by"]
    search_fields = ["name", "prefix"]
    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        shown = ["prefix", "created_by", "created_at", "last_used_at", "revoked_at"]
        return ["name", "scope", *shown] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:  # noqa: FBT001
        actor = request.user if isinstance(request.user, User) else None
        made, token = api_keys.create(name=obj.name, scope=Scope(obj.scope), actor=actor, now=timezone.now())
        obj.__dict__.update(made.__dict__)
        # The answer to this very request shows it: a message would lie in a cookie until the next page.
        request.api_token = token  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"API key {obj.name}",
            "opts": self.opts,
            "key": obj,
            "token": request.api_token,  # type: ignore[attr-defined]
        }
        return render(request, "admin/integrations/apikey/made.html", context)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        actor = request.user if isinstance(request.user, User) else None
        count = 0
        for key in keys.filter(revoked_at=None):
            api_keys.revoke(key=key, actor=actor, now=timezone.now())
            count += 1
        self.message_user(request, f"{count} revoked: nobody gets in by {'it' if count == 1 else 'them'} any more.")


class PersonForm(UserChangeForm[User]):
    """Django's form of a user, which does not take the last administrator away."""

    def clean(self) -> dict[str, Any] | None:
        found = super().clean()
        kept = self.cleaned_data
        stays_one = kept.get("is_active") and (
            kept.get("is_superuser") or any(group.name == Role.ADMINISTRATOR for group in kept.get("groups", ()))
        )
        if not stays_one and people.nobody_administers_without([self.instance]):
            raise ValidationError(f"{self.instance} {_LAST}")
        return found


_LAST = "is the last administrator: make somebody else one first."
admin.site.unregister([User, Group])


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    form = PersonForm

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        """Ask Django what would be deleted; where nobody would be left to administer, that stands in the way."""
        *found, protected = super().get_deleted_objects(objs, request)
        last = [f"{user} {_LAST}" for user in objs] if people.nobody_administers_without(objs) else []
        return *found, [*protected, *last]


@admin.register(Group)
class RoleAdmin(GroupAdmin):
    """The roles keep their names and stay, because people are given them by name; what they hold may be changed."""

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return [*fields, "name"] if obj and obj.name in Role.values else fields

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        *found, protected = super().get_deleted_objects(objs, request)
        roles = [f"{group} is a role that people are given by name." for group in objs if group.name in Role.values]
        return *found, [*protected, *roles]
