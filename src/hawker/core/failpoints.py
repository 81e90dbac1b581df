"""Named places where a test may make a process die, fail or wait.

`failpoint("after-claim")` costs one falsy check and does nothing unless the process was
started with HAWKER_TESTING=1 and, say, HAWKER_FAILPOINTS="after-claim=kill@3": the third
pass through that point kills the process. Without HAWKER_TESTING the variable is an
error, so that a production panel can never carry an armed failpoint.
"""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass


class InjectedFault(RuntimeError):
    """Raised by a failpoint armed with `raise`."""


class BadFailpoint(ValueError):
    """HAWKER_FAILPOINTS cannot be read, or is set outside a test."""


@dataclass(slots=True)
class _Armed:
    action: str
    seconds: float
    passes_left: int


_armed: dict[str, _Armed] = {}


def failpoint(name: str) -> None:
    """Do what this point is armed with; nothing in a production process."""
    if _armed:
        _pass(name)


def any_armed() -> bool:
    """Whether this process has armed points: where to pass one costs more than a falsy check, ask first."""
    return bool(_armed)


def _pass(name: str) -> None:
    point = _armed.get(name)
    if point is None:
        return
    point.passes_left -= 1
    if point.passes_left > 0:
        return
    if point.action == "sleep":
        time.sleep(point.seconds)
        return
    del _armed[name]
    if point.action == "kill":
        # SIGKILL and not exit: no handler, no `finally`, no flush may run.
        os.kill(os.getpid(), signal.SIGKILL)
    raise InjectedFault(name)


def arm(specification: str) -> None:
    """Arm `name=kill`, `name=raise`, `name=sleep:SECONDS`, each with an optional `@NTH`, comma-separated."""
    for part in filter(None, (piece.strip() for piece in specification.split(","))):
        name, _, rest = part.partition("=")
        what, _, nth = rest.partition("@")
        action, _, seconds = what.partition(":")
        if not name or action not in ("kill", "raise", "sleep"):
            raise BadFailpoint(f"cannot read the failpoint {part!r}")
        try:
            _armed[name] = _Armed(action, float(seconds or 0), int(nth or 1))
        except ValueError as error:
            raise BadFailpoint(f"cannot read the failpoint {part!r}") from error


def disarm() -> None:
    """Forget every armed point."""
    _armed.clear()


def arm_from_environment(environment: Mapping[str, str]) -> None:
    """Arm what HAWKER_FAILPOINTS says; refuse it unless HAWKER_TESTING=1."""
    specification = environment.get("HAWKER_FAILPOINTS", "")
    if not specification:
        return
    if environment.get("HAWKER_TESTING") != "1":
        raise BadFailpoint("HAWKER_FAILPOINTS is for tests: it needs HAWKER_TESTING=1")
    arm(specification)
