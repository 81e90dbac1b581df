"""wrk: one run of one load."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import RunFailed
from bench.figures import Loaded
from bench.processes import run_timed

_SCRIPT = Path(__file__).with_name("load.lua")


def run_wrk(
    wrk: str,
    url: str,
    bodies: Sequence[str],
    folder: Path,
    *,
    connections: int,
    seconds: int,
    env: Mapping[str, str],
    rest_ms: float = 0.0,
) -> Loaded:
    """POST the form bodies, in turn, from `connections` keep-alive connections. Raises RunFailed.

    `rest_ms` lets each connection rest after an answer, about that long: load below the maximum.
    """
    text = "\n".join(bodies) + "\n"
    path = folder / f"bodies-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not path.exists():
        path.write_text(text)
    # One thread drives 64 connections with a tenth of a core.
    words = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    said, cpu = run_timed([*words, url, "--", str(path), f"{rest_ms:.3f}"], env=env, timeout_seconds=seconds + 30)
    line = next((line for line in said.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise RunFailed(f"wrk gave no result: {said[-500:]}")
    result = json.loads(line.removeprefix("RESULT "))
    return Loaded(
        requests=result["requests"],
        per_second=result["requests"] / (result["micros"] / 1e6),
        p50_micros=result["p50"],
        p99_micros=result["p99"],
        refused=result["refused"],
        broken=sum(result[kind] for kind in ("connect", "read", "write", "timeout")),
        bytes=result["bytes"],
        generator_seconds=cpu,
    )
