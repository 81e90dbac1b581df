"""A verb that waits just before its COMMIT, so that something else happens in that moment."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from hawker.core import failpoints

IN_COMMIT = "=sleep:0.7"


@contextmanager
def slowly(point: str, verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator["list[Any]"]:
    """Have the verb wait just before its COMMIT while the block runs; its answer is in the list after it."""
    answers: list[Any] = []

    def run() -> Any:
        from django.db import connection

        try:
            return verb(*args, **kwargs)
        finally:
            connection.close()

    failpoints.arm(point + IN_COMMIT)
    try:
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(run)
            time.sleep(0.3)
            yield answers
            answers.append(running.result())
    finally:
        failpoints.disarm()
