"""Logs: one JSON object a line on standard error, so that no text of a user can forge a line."""

import logging
from collections.abc import Collection
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from structlog.typing import Processor

from chatserver.redaction import Redacted

_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_COMPONENTS = {
    "providers": "streaming.providers",
    "transports": "streaming.transports",
    "engine": "streaming.engine",
    "eventlog": "streaming.eventlog",
    "tools": "streaming.tools",
    "conversations": "conversations",
    "accounts": "chatserver.accounts",
    "gates": "chatserver.gates",
    "django": "django",
}


def parse_levels(text: str) -> tuple[str, dict[str, str]]:
    """``"info"`` or ``"warning,providers=debug"`` to the level of everything else and of the named components."""
    default, components = "info", {}
    for word in filter(None, (part.strip().lower() for part in text.split(","))):
        component, _, level = word.rpartition("=")
        if level not in _LEVELS or (component and component not in _COMPONENTS):
            raise ImproperlyConfigured(
                f"LOG_LEVEL has {word!r}; write a level ({', '.join(sorted(_LEVELS))}) or component=level "
                f"with one of: {', '.join(sorted(_COMPONENTS))}."
            )
        if component:
            components[_COMPONENTS[component]] = level
        else:
            default = level
    return default, components


class RefusedIsNoFault(logging.Filter):
    """What Django refuses as suspicious, a Host that is not ours before all, is a warning of one sentence; and so is
    every 503 of ours: a server that drains gives many, and what is wrong where one is stands in a line of its own.

    Django writes errors, the former with a traceback, and errors are what the alarm is for: anybody could raise it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        unavailable = record.name == "django.request" and getattr(record, "status_code", 0) == 503
        if not (record.name.startswith("django.security.") or unavailable) or record.levelno <= logging.WARNING:
            return True
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.exc_info = record.exc_text = None
        return logging.getLogger(record.name).isEnabledFor(logging.WARNING)


def logging_config(levels: str, *, secrets: Collection[str] = ()) -> dict[str, Any]:
    """The dictConfig of the whole process; structlog's and the standard library's records take the same way out.

    ``secrets`` are texts that no line may have.
    """
    default, components = parse_levels(levels)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [structlog.stdlib.ExtraAdder(allow=set()), *shared],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(ensure_ascii=True),
                    Redacted(secrets),
                ],
            }
        },
        "filters": {"refused": {"()": RefusedIsNoFault}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["refused"]}},
        "root": {"handlers": ["stderr"], "level": default.upper()},
        "loggers": {
            "uvicorn.access": {"level": "WARNING"},
            "daphne.access": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            # It repeats a traceback every second while Redis is away; the doorbell says that once.
            "channels_redis": {"level": "CRITICAL"},
            **{name: {"level": level.upper()} for name, level in components.items()},
        },
    }
