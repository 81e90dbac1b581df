"""`hawker audit`: who changed what."""

from typing import Annotated

import typer

from hawker.cli.instants import read_past
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.clock import SystemClock

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """One command by now; without this it would lose its name."""


@app.command(name="list")
def list_(
    *,
    actor: Annotated[str | None, typer.Option(help="Only what this one did: cli:root.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this: key.revoke, or key for all about keys.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only about this: provider:acme, or provider for all.")] = None,
    customer: Annotated[str, typer.Option(help="Only about this customer: balance, keys, prices, by e-mail.")] = "",
    since: Annotated[str, typer.Option(help="Only since then: 2027-01-31, 2027-01-31T12:00Z, or the last 7d.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
    data_dir: DataDirOption = None,
) -> None:
    """What was changed, newest first: by whom, from where, what it was before and after, and why."""
    del data_dir
    moment = read_past(since, SystemClock().now()) if since else None
    with panel():
        from hawker.audit.actions import list_audit_events

        subjects = _subjects_of(customer) if customer else None
        answer(
            list_audit_events(actor=actor, action=action, subject=subject, subjects=subjects, since=moment, limit=limit)
        )


def _subjects_of(email: str) -> list[tuple[str, str]]:
    """A customer as the audit log names one: by address, by account and by each key that there ever was."""
    from hawker.accounts.actions import find_customer, list_keys
    from hawker.accounts.errors import NoSuchCustomer

    with sentences(NoSuchCustomer):
        user = find_customer(email)
    keys = [("key", str(key.id)) for key in list_keys(user)]
    return [("customer", user.email), ("account", str(user.account.id)), *keys]
