"""The console's addresses."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, register_converter

from integrations import webhooks
from integrations.sections import SectionConverter
from integrations.views import (
    account,
    api_keys,
    background,
    connection,
    entities,
    login,
    logs,
    overview,
    people,
    problems,
    reconciliations,
    usage,
    usage_of_subscription,
    usage_overview,
    usage_record,
)

register_converter(SectionConverter, "section")

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("integrations.api.urls")),
    path("webhooks/stigg/<str:hook_path>", webhooks.stigg, name="stigg_webhook"),
    path("", overview.overview, name="overview"),
    path("login/", login.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("problems/", problems.problem_list, name="problems"),
    path("problems/retry/", problems.problems_retry, name="problems_retry"),
    path("problems/<int:job_id>/dismiss/", problems.problem_dismiss, name="problem_dismiss"),
    path("activity/", problems.activity, name="activity"),
    path("background/", background.operation_list, name="background"),
    path("background/sync-everything/", background.sync_everything, name="sync_everything"),
    path("background/<int:operation_id>/", background.operation_page, name="operation"),
    path("background/<int:operation_id>/report.csv", background.operation_csv, name="operation_csv"),
    path("background/<int:operation_id>/pause/", background.operation_pause, name="operation_pause"),
    path("background/<int:operation_id>/resume/", background.operation_resume, name="operation_resume"),
    path("background/<int:operation_id>/cancel/", background.operation_cancel, name="operation_cancel"),
    path("usage/", usage.usage_list, name="usage"),
    path("usage/export/", usage.usage_export, name="usage_export"),
    path("usage/retry/", usage.usage_retry, name="usage_retry"),
    path("usage/overview/", usage_overview.usage_overview, name="usage_overview"),
    path("usage/<int:record_id>/", usage_record.usage_record, name="usage_record"),
    path("usage/slices/<int:slice_id>/", usage_record.usage_slice, name="usage_slice"),
    path("usage/reconciliations/", reconciliations.reconciliation_list, name="reconciliations"),
    path("usage/reconciliations/compare/", reconciliations.reconciliation_compare, name="reconciliation_compare"),
    path("usage/reconciliations/<int:report_id>/", reconciliations.reconciliation, name="reconciliation"),
    path(
        "usage/reconciliations/<int:report_id>/export/",
        reconciliations.reconciliation_export,
        name="reconciliation_export",
    ),
    path(
        "subscriptions/<str:ref_id>/usage/", usage_of_subscription.usage_of_subscription, name="usage_of_subscription"
    ),
    path("subscriptions/<str:ref_id>/usage/preview/", usage_of_subscription.usage_preview, name="usage_preview"),
    path("subscriptions/<str:ref_id>/usage/sync/", usage_of_subscription.usage_sync_now, name="usage_sync_now"),
    path("settings/integrations/apps/", connection.apps, name="apps"),
    path("settings/integrations/apps/zuora/", connection.zuora, name="zuora"),
    path("settings/integrations/apps/zuora/switches/", connection.switches, name="zuora_switches"),
    path("settings/integrations/apps/zuora/credentials/", connection.credentials, name="zuora_credentials"),
    path("settings/integrations/apps/zuora/test/", connection.test, name="zuora_test"),
    path("settings/integrations/apps/zuora/remove/", connection.remove, name="zuora_remove"),
    path("settings/api-keys/", api_keys.api_keys, name="api_keys"),
    path("settings/api-keys/<int:key_id>/revoke/", api_keys.api_key_revoke, name="api_key_revoke"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/<int:user_id>/", people.person, name="person"),
    path("settings/people/<int:user_id>/deactivate/", people.person_deactivate, name="person_deactivate"),
    path("settings/people/<int:user_id>/activate/", people.person_activate, name="person_activate"),
    path("settings/people/<int:user_id>/link/", people.person_link, name="person_link"),
    path("settings/audit-log/", logs.audit_log, name="audit_log"),
    path("settings/audit-log.csv", logs.audit_export, name="audit_export"),
    path("settings/requests/", logs.request_log, name="request_log"),
    path("settings/requests/<int:request_id>/", logs.request_page, name="request"),
    path("settings/account/", account.account, name="account"),
    path("login/<str:uidb64>/<str:token>/", account.ChoosePassword.as_view(), name="choose_password"),
    path("<section:section>/", entities.entity_list, name="entities"),
    path("<section:section>.csv", entities.entity_export, name="entities_export"),
    path("<section:section>/<str:ref_id>/", entities.entity_page, name="entity"),
    path("<section:section>/<str:ref_id>/sync/", entities.entity_sync, name="entity_sync"),
    path("<section:section>/<str:ref_id>/keep/", entities.entity_keep, name="entity_keep"),
    path("<section:section>/<str:ref_id>/cancel-there/", entities.entity_cancel_there, name="entity_cancel_there"),
]
