"""The garbage collector, tuned for a process that serves: it runs less often, and skips objects made at start-up."""

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 10, 10
"""Thresholds of the three generations (Python's default for the first is 700 objects).

A batch makes thousands of rows, ids and replies, and next to none is in a reference cycle: reference counts free them.
"""


def tune_garbage_collector() -> None:
    """Freeze the objects that exist now and set the thresholds. Call it once everything is loaded.

    Without this each full collection traverses settings, models and the catalogue and stops every request for 25 ms,
    several times a second under load (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
