"""Telling the workers that there is something to do, without slowing down who placed it."""

import threading
import time

import structlog
from django.db import Error
from procrastinate import exceptions
from procrastinate.contrib.django import app

from hawker.worker.tasks import PULSE, PULSE_LOCK

QUIET_SECONDS = 0.2

log = structlog.get_logger(__name__)


class Waker:
    """Asks for a pulse at once after orders were placed, at most once every QUIET_SECONDS.

    It is a hint: a pulse that is lost here comes by the clock within a second. It is sent after the
    COMMIT of the orders, never in it: a NOTIFY inside would cost half of the throughput.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0.0

    def __call__(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._last < QUIET_SECONDS:
                return
            self._last = now
        try:
            app.configure_task(PULSE, queueing_lock=PULSE_LOCK, queue="pulse").defer()
        except exceptions.AlreadyEnqueued:
            return
        except (Error, exceptions.ConnectorException) as error:
            log.debug("no pulse asked for", why=str(error))
