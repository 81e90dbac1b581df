"""One run, its CPU, its errors; several runs, their median."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load generator reports of one run."""

    requests: int
    per_second: float
    p50_micros: float
    p99_micros: float
    refused: int
    """Answers that were not 200, or were `{"error":…}`."""
    broken: int
    """Connections refused or cut, time-outs."""
    bytes: int
    generator_seconds: float
    """CPU of the generator itself."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run of one side, per request where it says so."""

    loaded: Loaded
    generator_micros: float
    server_micros: float
    database_micros: float
    requests_per_commit: float
    """How many requests shared a transaction, on average; 0 where none was committed."""
    wal_bytes: float
    others_share: float = 0.0
    """How much of the machine's cores went to processes that have no part in the run: others at work, or steal."""
    trouble: str = ""
    """Why the run is void; empty where it counts."""

    def as_json(self) -> dict[str, Any]:
        """The raw figures for results.json."""
        return {
            "per_second": round(self.loaded.per_second, 1),
            "requests": self.loaded.requests,
            "p50_ms": round(self.loaded.p50_micros / 1e3, 3),
            "p99_ms": round(self.loaded.p99_micros / 1e3, 3),
            "refused": self.loaded.refused,
            "broken": self.loaded.broken,
            "bytes_per_answer": round(self.loaded.bytes / max(self.loaded.requests, 1), 1),
            "cpu_micros_per_request": {
                "generator": round(self.generator_micros, 1),
                "server": round(self.server_micros, 1),
                "database": round(self.database_micros, 1),
            },
            "requests_per_commit": round(self.requests_per_commit, 2),
            "wal_bytes_per_request": round(self.wal_bytes, 1),
            "others_share_of_cores": round(self.others_share, 3),
            "trouble": self.trouble,
        }


@dataclass(slots=True)
class Figure:
    """All runs of one side. Each figure is the median of the runs, 0 where there is none."""

    side: str
    runs: list[Run] = field(default_factory=list)
    left_out: list[Run] = field(default_factory=list)
    """Those that somebody else's work on the machine disturbed, where there are others to count."""
    failed: str = ""
    """Why it could not be run to its end."""

    @property
    def trouble(self) -> str:
        """The first reason why this side is void, or nothing."""
        if self.failed or not self.runs:
            return self.failed or "never run"
        return next((run.trouble for run in [*self.runs, *self.left_out] if run.trouble), "")

    @property
    def per_second(self) -> float:
        return self._median(lambda run: run.loaded.per_second)

    @property
    def p50_ms(self) -> float:
        return self._median(lambda run: run.loaded.p50_micros) / 1e3

    @property
    def p99_ms(self) -> float:
        return self._median(lambda run: run.loaded.p99_micros) / 1e3

    @property
    def batch(self) -> float:
        """Requests that shared a COMMIT."""
        return self._median(lambda run: run.requests_per_commit)

    @property
    def others_share(self) -> float:
        return self._median(lambda run: run.others_share)

    @property
    def server_micros(self) -> float:
        return self._median(lambda run: run.server_micros)

    @property
    def cpu_text(self) -> str:
        """Generator, server and database: CPU microseconds of each per request."""
        groups = (
            self._median(lambda run: run.generator_micros),
            self._median(lambda run: run.server_micros),
            self._median(lambda run: run.database_micros),
        )
        return " + ".join(f"{group:,.0f}" for group in groups)

    def _median(self, part: Callable[[Run], float]) -> float:
        return median(map(part, self.runs)) if self.runs else 0.0


def turn_ratios(ours: Figure, theirs: Figure, part: Callable[[Loaded], float]) -> list[float]:
    """Ours by theirs, turn by turn.

    Two runs of one turn follow each other at once, so what a neighbour does to the machine for longer than
    that falls on both; the ratio of the two medians would set one side's bad minute beside the other's good one.
    """
    pairs = zip(ours.runs, theirs.runs, strict=False)
    return [part(mine.loaded) / part(other.loaded) for mine, other in pairs if part(other.loaded)]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: Hawker's figure beside another, and the goal where there is one."""

    work: str
    hawker: str
    against: str
    value: float
    """What the goal speaks of: a ratio, or milliseconds, megabytes, microseconds."""
    unit: str
    spread: tuple[float, float] | None = None
    """The lowest and the highest of the turns, where the value is the median of several."""
    goal: float | None = None
    at_least: bool = True
    issue: int = 0
    hawker_cpu: str = ""
    against_cpu: str = ""
    note: str = ""
    void: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no goal or the runs do not count."""
        if self.goal is None or self.void:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal
