"""What every work has in hand: the running stack, the figures so far, the rows they become."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Figure, Row, turn_ratios
from bench.measuring import Side, measure
from bench.stack import Stack


@dataclass(slots=True)
class Bench:
    """One run of the benchmark."""

    stack: Stack
    figures: dict[str, dict[str, Figure]] = field(default_factory=dict)
    """By work, then by side."""
    verified: dict[str, object] = field(default_factory=dict)
    """What `hawker verify` said after each work that wrote."""

    def measure(self, work: str, sides: Mapping[str, Side]) -> dict[str, Figure]:
        """Run the sides in turns and keep their figures under the work's name."""
        self.figures[work] = measure(self.stack, sides)
        return self.figures[work]

    def verify(self, work: str) -> None:
        """Check the books after a work that wrote, Hawker's and the comparator's."""
        self.verified[work] = self.stack.verify()
        if self.stack.plan.compared:
            self.stack.verify_plain()
        print(f"  hawker verify: {self.verified[work]}", file=sys.stderr)


def rate_row(
    work: str, ours: Figure, theirs: Figure, *, against: str, goal: float | None = None, issue: int = 0
) -> Row:
    """Requests a second beside requests a second: the median of the turns' ratios."""
    ratios = turn_ratios(ours, theirs, lambda loaded: loaded.per_second)
    return Row(
        work=work,
        hawker=f"{ours.per_second:,.0f}/s",
        against=f"{against} {theirs.per_second:,.0f}/s",
        value=median(ratios) if ratios else 0.0,
        unit="×",
        spread=(min(ratios), max(ratios)) if ratios else None,
        goal=goal,
        issue=issue,
        hawker_cpu=ours.cpu_text,
        against_cpu=theirs.cpu_text,
        void=ours.trouble or theirs.trouble,
    )
