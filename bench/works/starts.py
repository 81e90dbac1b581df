"""Starting: how long a panel takes from nothing and again, and what it weighs at rest."""

import json
import select
import subprocess
import sys
import time
from pathlib import Path

from bench.errors import RunFailed
from bench.figures import Row
from bench.processes import die_with_parent, memory_together_mb
from bench.works.bench import Bench
from hawker.core.datadir import DataDir
from hawker.host.postgres import EmbeddedPostgres

_PATIENCE_SECONDS = 60.0
_REST_SECONDS = 3.0


def start(bench: Bench) -> list[Row]:
    """`hawker up` with its database and one worker, in a folder of its own: the first time, and once more."""
    folder = bench.stack.folder / "started"
    first, _ = _up(bench, folder)
    again, weight = _up(bench, folder)
    return [
        _row("hawker up, first start", first, " s", 20),
        _row("hawker up, later start", again, " s", 5),
        _row("hawker up, all processes at rest", weight, " MB", 500),
    ]


def _row(work: str, value: float, unit: str, goal: float) -> Row:
    shown = f"{value:.1f}{unit}"
    return Row(work=work, hawker=shown, against="", value=value, unit=unit, goal=goal, at_least=False, issue=2)


def _up(bench: Bench, folder: Path) -> tuple[float, float]:
    """Seconds until it said that it was ready, and megabytes of all its processes a moment later."""
    env = {**bench.stack.env, "HAWKER_DATA_DIR": str(folder)}
    started = time.monotonic()
    log = bench.stack.folder / "started.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "hawker", "up", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=env,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - the harness runs no threads
        )
    with process:
        try:
            assert process.stdout is not None, "asked for as a pipe"
            ready, _, _ = select.select([process.stdout], [], [], _PATIENCE_SECONDS)
            line = process.stdout.readline() if ready else b""
            if not line or not json.loads(line)["ready"]:
                raise RunFailed(f"hawker up did not start: {log.read_text(errors='replace')[-2_000:]}")
            took = time.monotonic() - started
            time.sleep(_REST_SECONDS)
            # The postmaster is nobody's child, so that it outlives whoever started it.
            postmaster = EmbeddedPostgres(DataDir(folder)).pid
            return took, memory_together_mb([process.pid] + ([postmaster] if postmaster else []))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
