"""Faults on demand: which there are, what each leaves behind, and how often which call meets one.

KINDS is the table: `executes` is the truth that a test counts against, whatever the client was shown.
A call meets one fault at most. Which call meets which is a pure function of the seed and of the
call's number among those of its action, so a run can be repeated.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from hawker.sandbox.chance import hits, lane, roll

ACTIONS = ("services", "add", "status", "refill", "refill_status", "cancel", "balance")
_FAULTY_BY_DEFAULT = "add"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One fault. `executes`: whether the action is carried out (an order made) all the same.

    `seconds` is the default of the faults that take time; `only` the actions that it can spoil.
    """

    name: str
    executes: bool
    shows: str
    seconds: float | None = None
    only: tuple[str, ...] = ACTIONS


KINDS: dict[str, FaultKind] = {
    kind.name: kind
    for kind in (
        FaultKind("delay", True, "the right answer, `seconds` late", seconds=3.0),
        FaultKind("hang-after-accept", True, "nothing, until the client goes or `seconds` are over", seconds=60.0),
        FaultKind("reset-before-accept", False, "a TCP reset"),
        FaultKind("reset-after-accept", True, "a TCP reset"),
        FaultKind("502-before-accept", False, "HTTP 502 with a page of HTML"),
        FaultKind("502-after-accept", True, "HTTP 502 with a page of HTML"),
        FaultKind("html", False, "HTTP 200 with a page of HTML, as a gate before the panel shows"),
        FaultKind("html-after-accept", True, "HTTP 200 with a page of HTML"),
        FaultKind("empty", True, "HTTP 200 without a body"),
        FaultKind("truncated", True, "the right answer, cut: by turns complete as HTTP, or the connection cut too"),
        FaultKind("wrong-types", True, "the right answer in loose forms that a tolerant client still reads"),
        FaultKind("duplicate-id", True, "the id of this key's order, or refill, before it", only=("add", "refill")),
        FaultKind("out-of-funds", False, "`Not enough funds on balance`", only=("add",)),
        FaultKind("active-order", False, "`You have active order with this link. …`", only=("add",)),
        FaultKind("rate-limit", False, "HTTP 429, by turns with and without JSON"),
        FaultKind("both-order-and-error", True, "the id and an error in one object", only=("add", "refill")),
        FaultKind("error-key", False, "a raw key of a text, such as `neworder.error.link`", only=("add",)),
        FaultKind("redirect", False, "HTTP 302 to /login"),
    )
}

_SPECIFICATION = re.compile(r"(?:([a-z_]+):)?([a-z0-9-]+)=([0-9.]{1,12})(?::([0-9.]{1,8}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", re.ASCII)


class Hit(NamedTuple):
    """The fault that a call meets. `turn` (0 or 1) picks between the two looks that some faults have."""

    kind: FaultKind
    seconds: float
    turn: int


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: FaultKind
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Faults:
    """How often the calls of each action meet which fault."""

    rules: Mapping[str, tuple[_Rule, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, specifications: Iterable[str]) -> Self:
        """Read `html=0.1`, `delay=0.2:5` (five seconds), `status:empty=0.05`. Without a prefix, `add` is meant.

        Raises ValueError with a sentence for what cannot be read, an unknown name, a rate outside 0..1,
        and rates of one action that add up to more than 1.
        """
        rules: dict[str, dict[str, _Rule]] = {}
        for text in specifications:
            action, rule = _read_rule(text)
            rules.setdefault(action, {})[rule.kind.name] = rule
        for action, by_name in rules.items():
            if sum(rule.rate for rule in by_name.values()) > 1 + 1e-9:
                raise ValueError(f"the rates of the faults of {action} add up to more than 1")
        return cls({action: tuple(by_name.values()) for action, by_name in rules.items()})

    def draw(self, seed: int, action: str, number: int) -> Hit | None:
        """The fault that the `number`-th call of `action` meets, if any."""
        rules = self.rules.get(action)
        if not rules:
            return None
        rolled, reach = roll(seed, "fault", action, number), 0.0
        for rule in rules:
            reach += rule.rate
            if hits(rolled, reach):
                return Hit(rule.kind, rule.seconds, lane(rolled, 0, 2))
        return None

    def specifications(self) -> list[str]:
        """The faults as `parse` reads them."""
        return [
            f"{action}:{rule.kind.name}={rule.rate:g}" + (f":{rule.seconds:g}" if rule.kind.seconds is not None else "")
            for action, rules in self.rules.items()
            for rule in rules
        ]


def _read_rule(text: str) -> tuple[str, _Rule]:
    match = _SPECIFICATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a fault such as html=0.1, delay=0.2:5 or status:empty=0.05")
    action, name, rate_text, seconds_text = match.groups()
    kind = KINDS.get(name)
    if kind is None:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(KINDS)}")
    action = action or _FAULTY_BY_DEFAULT
    if action not in ACTIONS:
        raise ValueError(f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
    if action not in kind.only:
        raise ValueError(f"{name} is a fault of {' and '.join(kind.only)} only")
    if seconds_text is not None and kind.seconds is None:
        raise ValueError(f"{name} takes no seconds")
    rate = float(rate_text) if _NUMBER.fullmatch(rate_text) else -1.0
    if not 0 <= rate <= 1:
        raise ValueError(f"the rate of {name} must be between 0 and 1, not {rate_text}")
    if seconds_text is not None and not _NUMBER.fullmatch(seconds_text):
        raise ValueError(f"the seconds of {name} must be a number, not {seconds_text}")
    return action, _Rule(kind, rate, float(seconds_text) if seconds_text is not None else kind.seconds or 0.0)
