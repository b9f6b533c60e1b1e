"""The Celery application: `celery -A stigg_zuora worker|beat`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stigg_zuora.settings")
app = Celery("stigg_zuora")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
