from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.urls import URLPattern, URLResolver, include, path
from django_prometheus.exports import ExportToDjangoView

# /healthz and /readyz are answered before any of these, by stigg_zuora.health.
urlpatterns: list[URLPattern | URLResolver] = [
    path("metrics", transaction.non_atomic_requests(login_not_required(ExportToDjangoView)), name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("integrations.urls")),
]

handler400 = "stigg_zuora.requests.bad_request"
handler404 = "stigg_zuora.requests.not_found"
handler500 = "stigg_zuora.requests.server_error"
