"""The long tests: a few rounds in `make test`, as many as a budget of time has room for in `make soak`.

with counting("parallel adds") as counted:
    for round_ in rounds(20):
        counted.update(rounds=1, accepted=…, overspent=…)

`make soak` (tools/soak.py) runs such a test with HAWKER_SOAK=1 and HAWKER_SOAK_SECONDS, the time it may take: it must
end by itself. What it notes becomes a line of JSON in the file HAWKER_SOAK_FIGURES, and a row of docs/reliability.md.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SOAKING = os.environ.get("HAWKER_SOAK") == "1"


def budget(short: float) -> float:
    """How many seconds a test that runs for a time may take: `short` in `make test`."""
    return float(os.environ.get("HAWKER_SOAK_SECONDS", "60")) if SOAKING else short


def rounds(short: int) -> Iterator[int]:
    """The numbers of the rounds from 0: `short` of them in `make test`, in a soak until the budget is used up."""
    ends_at = time.monotonic() + budget(0)
    number = 0
    while number < short if not SOAKING else time.monotonic() < ends_at or not number:
        yield number
        number += 1


@contextmanager
def counting(form: str) -> Iterator[Counter[str]]:
    """What a test counts, noted when it is over, also when it has failed: count first, assert after."""
    counted: Counter[str] = Counter()
    try:
        yield counted
    finally:
        note(form, counted)


def note(form: str, figures: Mapping[str, float]) -> None:
    """Note figures of a form of test; those of several notes are added up."""
    if path := os.environ.get("HAWKER_SOAK_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"form": form, "figures": dict(figures)}) + "\n")
