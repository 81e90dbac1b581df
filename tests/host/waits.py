"""Waiting for what other processes do, with a bound so generous that only a fault reaches it."""

import time
from collections.abc import Callable

from hawker.host.postgres import EmbeddedPostgres
from hawker.host.processes import find_process


def until(holds: Callable[[], object], within_seconds: float = 30.0) -> float:
    """Wait until the condition holds; returns the seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within_seconds, "it did not come to that"
        time.sleep(0.02)
    return time.monotonic() - began


def watch_until_serving(postgres: EmbeddedPostgres) -> float:
    """Do what the supervisor's loop does until the database serves; returns the seconds it took."""

    def step() -> bool:
        return postgres.ensure_running() and postgres.is_serving()

    return until(step)


def is_gone(pid: int) -> bool:
    return find_process(pid) is None
