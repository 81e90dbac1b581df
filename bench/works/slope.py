"""Memory under a load that goes on: what each process weighs at most, and whether it grows."""

import random
import sys
import time
from collections.abc import Mapping, Sequence

from bench.figures import Figure, Row
from bench.fill import add_bodies, balance_bodies, services_bodies, status_bodies
from bench.measuring import over_http
from bench.processes import memory_now_mb, peak_memory_mb
from bench.stack import Stack
from bench.upstream import running_upstream
from bench.works.bench import Bench
from bench.works.worker import running_worker

FLAT_MB_A_MINUTE = 0.5
"""Five megabytes in ten minutes are called flat."""

_TELLING_SECONDS = 300
"""A shorter watch sees the first steps of a process and no trend: its slope is printed, and no goal set for it."""

_MIX = {"add": 700, "balance": 150, "status": 140, "services": 10}
"""Of a thousand requests."""

Weights = dict[str, list[tuple[float, float]]]
"""By process: seconds since the beginning, and megabytes."""


def memory_slope(bench: Bench) -> list[Row]:
    """All actions mixed, at full load, while a worker sends what is ordered to a sandbox."""
    stack, plan = bench.stack, bench.stack.plan
    slice_seconds = max(2, plan.slope_seconds // 120)
    load = over_http(stack, stack.hawker(), "/api/v2", _bodies(stack), connections=plan.connections, database="hawker")
    figure = Figure("hawker")
    bench.figures["memory-slope"] = {"hawker": figure}
    weights: Weights = {}
    with running_upstream(stack), running_worker(stack) as worker:
        watched = {f"API process {n}": pid for n, pid in enumerate(stack.hawker().pids, 1)} | {"worker": worker}
        begun = time.monotonic()
        while time.monotonic() - begun < plan.slope_seconds:
            figure.runs.append(load(slice_seconds))
            _weigh(weights, watched, time.monotonic() - begun)
        peaks = {name: peak_memory_mb(pid) for name, pid in watched.items()}
    bench.verify("memory-slope")
    return [row for name in watched for row in _rows(name, weights[name], peaks[name], figure, plan.slope_seconds)]


def _weigh(weights: Weights, watched: Mapping[str, int], at: float) -> None:
    for name, pid in watched.items():
        weights.setdefault(name, []).append((at, memory_now_mb(pid)))
    print(
        f"  {at:>5.0f} s  " + ", ".join(f"{name} {seen[-1][1]:.1f} MB" for name, seen in weights.items()),
        file=sys.stderr,
    )


def _rows(name: str, seen: Sequence[tuple[float, float]], peak_mb: float, figure: Figure, seconds: int) -> list[Row]:
    slope = slope_a_minute(seen)
    telling = seconds >= _TELLING_SECONDS
    work = f"memory under mixed load for {seconds} s, {name}"
    return [
        Row(
            work=f"{work}: slope",
            hawker=f"{slope:+.2f} MB/min",
            against=f"at {figure.per_second:,.0f}/s",
            value=slope,
            unit=" MB/min",
            goal=FLAT_MB_A_MINUTE if telling else None,
            at_least=False,
            issue=5,
            note="the first fifth of the time is left out" if telling else "too short to tell a trend",
            void=figure.trouble,
        ),
        Row(
            work=f"{work}: highest",
            hawker=f"{peak_mb:.0f} MB",
            against="",
            value=peak_mb,
            unit=" MB",
            goal=200,
            at_least=False,
            issue=5,
            void=figure.trouble,
        ),
    ]


def slope_a_minute(seen: Sequence[tuple[float, float]]) -> float:
    """Megabytes a minute by least squares, the first fifth of the time left out: a process grows as it warms up.

    0 where too little was seen.
    """
    points = [(at / 60, weight) for at, weight in seen if at >= seen[-1][0] / 5]
    mean_at = sum(at for at, _ in points) / len(points)
    mean_weight = sum(weight for _, weight in points) / len(points)
    spread = sum((at - mean_at) ** 2 for at, _ in points)
    return sum((at - mean_at) * (weight - mean_weight) for at, weight in points) / spread if spread else 0.0


def _bodies(stack: Stack) -> list[str]:
    chance = random.Random(1)
    sources = {
        "add": add_bodies(stack.filled, customers=stack.plan.customers),
        "balance": balance_bodies(stack.filled),
        "status": status_bodies(stack.filled, stack.url),
        "services": services_bodies(stack.filled),
    }
    kinds = chance.choices(list(_MIX), list(_MIX.values()), k=20_000)
    return [chance.choice(sources[kind]) for kind in kinds]
