"""Logs: one line of JSON per event on stderr, API keys taken out wherever they might have crept in."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_KEY = re.compile(r"(\bkey\W{1,4}|\bBearer\s+)([^\s&\"',}]{8,})", re.IGNORECASE)
_SECRET_NAMES = frozenset({"key", "api_key", "authorization", "password", "secret", "secret_key"})


def configure_logs(level: str) -> None:
    """Set logging up for this process. `level` is debug, info, warning or error."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The engine tells of every job (a panel runs one every second), the server of every start.
    for chatty in ("procrastinate", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take keys out of every text of an event: by the name of the field, and by their look in a sentence."""
    del logger, method
    for name, value in event.items():
        if name.lower() in _SECRET_NAMES:
            event[name] = "[redacted]"
        elif isinstance(value, str):
            event[name] = _KEY.sub(r"\1[redacted]", value)
    return event
