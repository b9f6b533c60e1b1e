"""The API's addresses, below /api/."""

from django.urls import URLPattern, path, re_path

from integrations.api import subscriptions, usage
from integrations.api.door import unknown

urlpatterns: list[URLPattern] = [
    path("v1/usage", usage.report),
    path("v2/usage", usage.report_v2),
    path("v1/events", usage.events),
    path("v1/usage/<str:customer_id>/history/<str:feature_id>", usage.history),
    path("v1/subscriptions/<str:ref_id>/usage/sync", subscriptions.sync_usage),
    re_path("", unknown),
]
