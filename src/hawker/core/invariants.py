"""What an invariant is to the checker: a name, what it means, and the SQL that finds its breaches."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """One invariant. `count` answers how many rows it speaks of; `breaches` a line of text per breach.

    docs/reliability.md has a table of all by name, so that a report can be read beside it.
    """

    name: str
    meaning: str
    count: str
    breaches: str


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach, said so that a person can look it up."""

    invariant: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: rows looked at by invariant, and every breach (at most MAX_BREACHES each)."""

    checked: dict[str, int]
    breaches: list[Breach]

    @property
    def ok(self) -> bool:
        return not self.breaches


MAX_BREACHES = 100
