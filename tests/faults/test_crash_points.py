"""Workers killed at every point of a send, over an upstream with faults: never twice, never lost, never guessed."""

from pathlib import Path

from plans import CRASH_POINTS, Plan
from storm import Figures, weather

from panel import Panel, forget_rows
from processes import SandboxProcess, ServeProcess
from soaking import SOAKING, counting, rounds

KILLS = 10 if SOAKING else 5
"""At each point, in each storm; a soak has many storms."""

RATES = (0.25, 0.1, 0.35)


def test_no_order_is_sent_twice_lost_or_bound_wrongly_however_workers_die(
    panel: Panel, server: ServeProcess, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    together = Figures()
    with counting("crash points") as counted:
        for number in rounds(1):
            if number:
                forget_rows()
                sandbox.reset()
            plan = Plan(kills=KILLS, seed=number + 1, rate=RATES[number % 3])
            figures = weather(panel, server, sandbox, tmp_path / str(number), plan)
            print(f"storm {number}: {figures}")
            counted.update(storms=1, **figures.counted())
            together += figures
            assert figures.kept, figures.wrong
            assert {point for point in CRASH_POINTS if figures.kills.get(point, 0) < KILLS} == set(), figures.kills
    assert together.unknowns > 10
    assert together.resolved_alone > 0.8 * together.unknowns, together
