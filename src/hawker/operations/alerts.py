"""What staff do with alerts."""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import Meta

from hawker.operations.base import Run, operation
from hawker.operations.errors import Refused
from hawker.operations.inputs import MAX_NUMBER

AlertNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The alert's number.")]


@dataclass(frozen=True, slots=True)
class CloseAlert:
    alert: AlertNumber
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=500,
            description="Why it is over: who looked, and what was done.",
            extra={"trim": True},
        ),
    ]


@dataclass(frozen=True, slots=True)
class AlertClosed:
    alert: int


@operation("alert.close", subject="alert", ids=lambda given: (given.alert,), many="alert")
def close_alert(run: Run, given: CloseAlert) -> AlertClosed:
    """Close an alert that does not end by itself."""
    from hawker.alerts import actions

    if not actions.close_alert(given.alert, by=given.reason, now=run.now):
        raise Refused(f"there is no open alert {given.alert}")
    run.note(given.alert, before={"open": True}, after={"open": False})
    return AlertClosed(given.alert)
