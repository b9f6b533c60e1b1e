"""The console's addresses."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, register_converter

from integrations.sections import SectionConverter
from integrations.views import connection, entities, login, overview, problems

register_converter(SectionConverter, "section")

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/", include("integrations.api.urls")),
    path("", overview.overview, name="overview"),
    path("login/", login.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("problems/", problems.problem_list, name="problems"),
    path("problems/retry/", problems.problems_retry, name="problems_retry"),
    path("problems/<int:job_id>/dismiss/", problems.problem_dismiss, name="problem_dismiss"),
    path("activity/", problems.activity, name="activity"),
    path("settings/integrations/apps/", connection.apps, name="apps"),
    path("settings/integrations/apps/zuora/", connection.zuora, name="zuora"),
    path("settings/integrations/apps/zuora/switches/", connection.switches, name="zuora_switches"),
    path("settings/integrations/apps/zuora/credentials/", connection.credentials, name="zuora_credentials"),
    path("settings/integrations/apps/zuora/test/", connection.test, name="zuora_test"),
    path("settings/integrations/apps/zuora/remove/", connection.remove, name="zuora_remove"),
    path("<section:section>/", entities.entity_list, name="entities"),
    path("<section:section>.csv", entities.entity_export, name="entities_export"),
    path("<section:section>/<str:ref_id>/", entities.entity_page, name="entity"),
    path("<section:section>/<str:ref_id>/sync/", entities.entity_sync, name="entity_sync"),
    path("<section:section>/<str:ref_id>/keep/", entities.entity_keep, name="entity_keep"),
    path("<section:section>/<str:ref_id>/cancel-there/", entities.entity_cancel_there, name="entity_cancel_there"),
]
