"""Workers killed at every point of a send, over an upstream with faults: never twice, never lost, never guessed.

In `make test` five kills at each point; with HAWKER_SOAK=1 two hundred, or as many as HAWKER_SOAK_SECONDS hold.
"""

import os
import time
from pathlib import Path

from storm import CRASH_POINTS, Figures, Plan, weather

from panel import Panel, forget_rows
from processes import SandboxProcess, ServeProcess

SOAK = os.environ.get("HAWKER_SOAK") == "1"
SOAK_SECONDS = float(os.environ.get("HAWKER_SOAK_SECONDS", "inf"))


def test_no_order_is_sent_twice_lost_or_bound_wrongly_however_workers_die(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    kills, wanted = (10, 200) if SOAK else (5, 5)
    began, sum_, number = time.monotonic(), Figures(), 0
    while True:
        number += 1
        plan = Plan(kills=kills, seed=number, rate=(0.25, 0.1, 0.3)[number % 3] if SOAK else 0.25)
        figures = weather(panel, server, sandbox, tmp_path / str(number), plan)
        print(f"storm {number}: {figures}")
        assert figures.kept, figures
        sum_ += figures
        fewest = min(sum_.kills.get(point, 0) for point in CRASH_POINTS)
        if fewest >= wanted or time.monotonic() - began > SOAK_SECONDS or not SOAK:
            break
        forget_rows()
        sandbox.reset()
    print(f"crash points: {sum_}")
    assert {point: n for point, n in sum_.kills.items() if n < kills} == {}
    assert set(sum_.kills) == set(CRASH_POINTS)
    assert sum_.unknowns > 10
    assert sum_.resolved_alone / sum_.unknowns > 0.8, sum_
