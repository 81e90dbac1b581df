"""`hawker refill`: which there are, and how those end that no provider ends."""

from typing import Annotated

import typer

from hawker.cli.output import answer, fail
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, typer.Option(help="Only refills in this state, such as pending, or unknown.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """Refills, newest first, with their attempts."""
    del data_dir
    with panel():
        from hawker.orders import UNKNOWN, describe_refills, list_refill_ids
        from hawker.orders.models import RefillState

        states = [*RefillState.values, UNKNOWN]
        if state and state not in states:
            fail(f"there is no state {state!r}; there are: {', '.join(states)}")
        answer(describe_refills(list_refill_ids(state=state, limit=limit)))


@runs(app, "refill.resolve", many="refills")
def resolve(
    refill: Annotated[list[int], place("refill.resolve", "refill")] = [],  # noqa: B006
    *,
    completed: Annotated[bool, typer.Option("--completed", help="It was delivered.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="It will not be delivered.")] = False,
    reason: Annotated[str, flag("refill.resolve", "reason", help="Why; kept with the refill.")],
) -> Values:
    """End refills by hand: those that staff deliver, or of which nobody knows whether the provider took them."""
    if completed == rejected:
        fail("say either --completed or --rejected")
    return {"refill": refill, "state": "completed" if completed else "rejected", "reason": reason}
