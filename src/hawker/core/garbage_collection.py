"""The collector of cyclic garbage, tuned for a process that serves: fewer looks, and none at what stays for ever."""

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 10, 10
"""Looked at after so many objects more than before (700 as Python comes), and after so many looks at the younger ones.

A batch makes thousands of rows, ids and replies, and next to none of them is cyclic: they go when they are let go of.
"""


def tune_garbage_collector() -> None:
    """Call once everything is loaded: what there is by then is not looked at any more.

    Without this each look at all objects, settings, models and catalogue included, stops every request for 25 ms, some
    times a second under load (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
