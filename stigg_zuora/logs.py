"""Structured logs: all that the program, Django and Celery say goes to standard error, with its track id."""

from http import HTTPStatus
from typing import Any

import structlog

_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def _name_the_refused(_: Any, __: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say who was refused a page: Django's line names the page alone, and has the request beside it."""
    record = line["_record"]
    user = getattr(getattr(record, "request", None), "user", None)
    if getattr(record, "status_code", None) == HTTPStatus.FORBIDDEN and user is not None and user.is_authenticated:
        line["user"] = user.get_username()
    return line


def configured(*, level: str, form: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING for it; `form` is `text`, a line to read, or `json`."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*_PROCESSORS, _name_the_refused],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": ["stderr"], "level": level, "propagate": False},
            # Its debugging lines hold whatever a page was given: a token that is shown once, a form that was filled in.
            "django.template": {"level": "INFO"},
            "celery": {"level": level},
            "celery.beat": {"level": "WARNING"},  # a line per sweep says nothing
            "celery.worker.strategy": {"level": "WARNING"},  # nor one per message, which a delivery logs itself
            "celery.app.trace": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
        },
    }
