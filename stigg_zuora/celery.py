"""The Celery application: `celery -A stigg_zuora worker|beat`."""

import gc
import os
from typing import Any

from celery import Celery, signals
from kombu.transport import redis
from redis.exceptions import ConnectionError as RedisConnectionError

#: So many new objects begin a collection, some megabytes of them; Python's own number is 700.
_NEW_OBJECTS = 50_000

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stigg_zuora.settings")


class _Channel(redis.Channel):
    """A channel that outlives the loss of its connection.

    kombu would look for the address of the lost connection, and the AttributeError that this raises ends the worker. A
    message that was in work then comes again some day, and its jobs are done by then.
    """

    def basic_ack(self, delivery_tag: Any, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - as kombu calls it
        if not self._is_lost():
            super().basic_ack(delivery_tag, multiple=multiple)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - as kombu calls it
        if self._is_lost():
            raise RedisConnectionError("The connection of this channel was lost and is closed.")
        params: dict[str, Any] = super()._connparams(asynchronous=asynchronous)  # type: ignore[misc] # no stub has it
        return params

    def _is_lost(self) -> bool:
        return self.connection is None or self.connection.client is None


redis.Transport.Channel = _Channel
app = Celery("stigg_zuora")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _leave_logs_alone(**_: Any) -> None:
    """Have a worker log as the settings say: Celery would raise the level, and no delivery would be told of."""


@signals.worker_ready.connect
def _collect_less_garbage(**_: Any) -> None:
    """Look for cycles among what is new, and less often: not each time among all that was imported.

    Work reads rows by the thousand, and each few hundred of them began a collection: a tenth of the processor's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
