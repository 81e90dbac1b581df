"""The tuned collector passes over what was there before, and still finds what dies in a circle."""

import subprocess
import sys

_PROGRAM = """
import gc, weakref
from hawker.core.garbage_collection import tune_garbage_collector

class Ring:
    def __init__(self):
        self.self = self

there = [[number] for number in range(300_000)]
walked = []
gc.callbacks.append(lambda phase, info: walked.append(len(gc.get_objects())) if info["generation"] == 2 else None)
tune_garbage_collector()
walked.clear()
lost = [weakref.ref(Ring()) for _ in range(200_000)]
print(gc.get_freeze_count() > 300_000, sum(ring() is not None for ring in lost) < 100_000)
gc.collect()
print(max(walked) < 300_000, any(ring() is not None for ring in lost))
"""


def test_what_was_there_is_not_looked_at_and_circles_go() -> None:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.split() == ["True", "True", "True", "False"]
