"""Logs: one line of JSON per event on stderr, secrets taken out wherever they might have crept in."""

import logging
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

from hawker.core.log_rate_limit import LogRateLimit
from hawker.core.redaction import GONE, is_secret_name, know, redacted, redacted_value
from hawker.core.terminal import shown, shown_json

HIDDEN = "hidden"
"""The field under which an event names secrets that only it knows: they are taken out of it, and the field too."""

_UNTOUCHED = frozenset({"_record", "_from_structlog", "exc_info", "level", "timestamp"})


def configure_logs(level: str, *, secrets: tuple[str, ...] = ()) -> None:
    """Set logging up for this process. `level` is debug, info, warning or error; no line will show the secrets."""
    for secret in secrets:
        know(secret)
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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The engine tells of every job (a panel runs one every second), the server of every start.
    for chatty in ("procrastinate", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    # They have a line for each malformed request, wrong host or unknown page: clients could fill the disk with them.
    handler.addFilter(LogRateLimit("uvicorn.error", "django"))
    # What ends a process or a thread is told by Python itself, past all logging.
    sys.excepthook = _tell
    threading.excepthook = lambda told: _tell(told.exc_type, told.exc_value, told.exc_traceback)


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take secrets out of every value of an event: by the name of the field, by what they are, by their look."""
    del logger, method
    hidden = tuple(str(secret) for secret in event.pop(HIDDEN, ()) if secret)
    for name, value in event.items():
        if name in _UNTOUCHED:
            continue
        event[name] = GONE if is_secret_name(name) else redacted_value(value, hidden)
    return event


_to_json = structlog.processors.JSONRenderer(ensure_ascii=False)


def _render(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    text = _to_json(logger, method, event)
    return shown_json(text if isinstance(text, str) else text.decode())


def _tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Write a traceback on stderr as Python does, without secrets."""
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, error or kind(), trace)
        return
    sys.stderr.write(shown(redacted("".join(traceback.format_exception(kind, error, trace)))))
    sys.stderr.flush()
