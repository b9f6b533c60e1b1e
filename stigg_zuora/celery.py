"""The Celery application: `celery -A stigg_zuora worker|beat`."""

import os
from typing import Any

from celery import Celery, signals
from kombu.transport import redis

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stigg_zuora.settings")


class _Channel(redis.Channel):
    """A channel that does not acknowledge what came over a connection that was lost since.

    kombu would look for the address of the lost connection, and what it raises then ends the worker. The message comes
    again some day, and its jobs are done by then.
    """

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - as kombu calls it
        if self.connection is not None and self.connection.client is not None:
            super().basic_ack(delivery_tag, multiple=multiple)


redis.Transport.Channel = _Channel
app = Celery("stigg_zuora")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _leave_logs_alone(**_: Any) -> None:
    """Have a worker log as the settings say: Celery would raise the level, and no delivery would be told of."""
