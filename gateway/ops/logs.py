"""The log: one line an event, for people on a terminal, as JSON for machines; never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import structlog

__all__ = ["configure_logging", "redact"]

LogFormat = Literal["auto", "console", "json"]

_SECRET_NAME: Final = re.compile(r"(key|token|secret|password|authorization)s?$", re.IGNORECASE)
_SECRET_TEXT: Final = re.compile(
    r"(?i)(bearer\s+|api[-_]key[=:]\s*|sk-|ek_)[A-Za-z0-9._~+/-]{6,}=*",
)
_HIDDEN: Final = "•••"


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what must never be written: values named like secrets, and texts shaped like keys."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub(lambda found: found[1] + _HIDDEN, value)
    return event


def configure_logging(level: str = "info", log_format: LogFormat = "auto") -> None:
    """Set up the process's log on standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        log_format: ``console`` for people, ``json`` for machines; ``auto`` picks by terminal.

    """
    is_console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            exception_formatter=structlog.dev.plain_traceback, pad_event_to=28
        )
        if is_console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s", force=True)
