"""What the Celery application does about its broker and its logs."""

import gc
import logging
from typing import Any

import pytest
from celery import signals
from celery.app.log import Logging
from kombu import Message

from stigg_zuora.celery import app


def test_message_of_a_connection_that_was_lost_is_not_acknowledged() -> None:
    with app.connection_for_write() as broker:
        queue = broker.SimpleQueue("of-a-test")
        for text in ("one", "two"):
            queue.put(text)
        first, second = (queue.get(block=False) for _ in range(2))
        assert isinstance(first, Message)
        first.ack_log_error(logging.getLogger(), ())
        client, broker.transport.client = broker.transport.client, None  # as kombu leaves a connection that it closed
        second.ack_log_error(logging.getLogger(), ())
        broker.transport.client = client
        channel: Any = second.channel
        assert channel.client.hlen(channel.unacked_key) == 1
        queue.clear()


def test_connection_that_was_lost_is_closed_with_a_message_in_work() -> None:
    with app.connection_for_write() as broker:
        queue = broker.SimpleQueue("of-a-test")
        queue.put("one")
        message = queue.get(block=False)
        channel: Any = message.channel
        unacked = channel.unacked_key
        # What kombu leaves when the broker dies while it listens: the first closing fails before it has closed the
        # channel, and forgets the address; a worker closes its connection a second time.
        broker.transport.client = None
        broker.release()
        assert channel.closed
    with app.connection_for_write() as broker:
        channel = broker.default_channel
        assert channel.client.hlen(unacked) == 1  # it comes again when its time is up
        channel.client.delete(unacked, channel.unacked_index_key)


def test_a_worker_logs_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Logging, "_setup", False)
    before = logging.getLogger().level
    logs: Any = app.log
    logs.setup_logging_subsystem(loglevel="ERROR")
    assert logging.getLogger().level == before


def test_a_worker_leaves_what_was_imported_out_of_its_collections() -> None:
    before = gc.get_threshold()
    try:
        signals.worker_ready.send(sender=None)
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
