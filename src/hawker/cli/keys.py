"""`hawker key`: the API keys of a customer, added, listed, rotated, revoked, brought along."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hawker.cli.changes import changing
from hawker.cli.instants import read_future, read_span
from hawker.cli.key_files import KEY_FILE_HELP, read_key_file
from hawker.cli.output import answer, fail, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.core.addresses import BadAddress, Network, read_network
from hawker.core.clock import SystemClock

if TYPE_CHECKING:
    from hawker.accounts.models import ApiKey

app = typer.Typer(no_args_is_help=True)


EmailArgument = Annotated[str, typer.Argument(help="E-mail address of the customer.")]
KeyArgument = Annotated[int, typer.Argument(help="The key's number, from `hawker key list`.", min=1)]
LabelOption = Annotated[str, typer.Option(help="What the key is for; only people read it.")]
ScopeOption = Annotated[str, typer.Option(help="`order` for everything, `read` to look only.")]
AddressOption = Annotated[
    list[str], typer.Option(help="Address or network the key may be used from; repeat for more. Anywhere without.")
]
ExpiresOption = Annotated[
    str | None, typer.Option(help="When it ends: 2027-01-31, 2027-01-31T12:00Z, or in 90d, 12h, 30m.")
]


@app.command()
def add(
    email: EmailArgument,
    *,
    label: LabelOption = "",
    scope: ScopeOption = "order",
    address: AddressOption = [],  # noqa: B006
    expires: ExpiresOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Add a key, which is shown this once."""
    del data_dir
    _issue(email, key=None, label=label, scope=scope, address=address, expires=expires)


@app.command(name="import")
def import_(
    email: EmailArgument,
    *,
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "-",
    label: LabelOption = "",
    scope: ScopeOption = "order",
    address: AddressOption = [],  # noqa: B006
    expires: ExpiresOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Let a key of another panel work here, so that its owner's programs need no change."""
    del data_dir
    _issue(email, key=read_key_file(key_file), label=label, scope=scope, address=address, expires=expires)


@app.command(name="list")
def list_(email: EmailArgument, *, data_dir: DataDirOption = None) -> None:
    """All keys a customer ever had, newest first; of the keys themselves only the end."""
    del data_dir
    with panel():
        from hawker.lists.errors import BadList
        from hawker.lists.filters import read_filters
        from hawker.lists.reading import columns_of, own, read_page, stream
        from hawker.lists.rendering import json_of

        with sentences(BadList):
            (customer,) = read_page("customers", read_filters("customers", {"customer": email})).rows
        # The scope of the account shows what belongs to a key, and not whose it is.
        scope = own(customer.values["account"])
        keys = [json_of(columns_of("keys", scope=scope), row) for row in stream("keys", scope=scope)]
        answer({"customer": customer.values["email"], "active": customer.values["active"], "keys": keys})


@app.command()
def revoke(key: KeyArgument, *, data_dir: DataDirOption = None) -> None:
    """End a key. Within a second no process lets it in."""
    del data_dir
    now = SystemClock().now()
    with panel():
        from hawker.accounts.actions import find_key, revoke_key
        from hawker.accounts.errors import NoSuchKey

        with sentences(NoSuchKey), changing("key.revoke") as change:
            change.watch("key", key, lambda: _audited(find_key(key), now))
            revoked = revoke_key(key, now=now)
        answer(_described(revoked, now))


@app.command()
def rotate(
    key: KeyArgument,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old key goes on working: 24h, 30m, 7d, or 0m.")] = "24h",
    data_dir: DataDirOption = None,
) -> None:
    """Put a new key in the place of an old one. The new key is shown this once."""
    del data_dir
    span = read_span(overlap)
    if span is None:
        fail(f"--overlap is a number of minutes, hours or days such as 24h, not {overlap!r}")
    with panel():
        from hawker.accounts.actions import find_key, rotate_key
        from hawker.accounts.errors import KeyIsOver, NoSuchKey

        now = SystemClock().now()
        with sentences(NoSuchKey, KeyIsOver), changing("key.rotate") as change:
            change.watch("key", key, lambda: _audited(find_key(key), now))
            new = rotate_key(key, overlap=span, now=now)
        answer({"key": new.key_id, "api_key": new.key, "replaces": key, "old_key_ends_at": new.old_ends_at})


def _issue(email: str, *, key: str | None, label: str, scope: str, address: list[str], expires: str | None) -> None:
    now = SystemClock().now()
    # An empty one comes from a script whose variable is unset: it must not make a key that never ends.
    expires_at = None if expires is None else read_future(expires, now)
    networks: list[Network] = []
    with sentences(BadAddress):
        networks.extend(read_network(text) for text in address)
    with panel():
        from hawker.accounts.actions import find_customer, find_key, issue_key
        from hawker.accounts.errors import BadKey, KeyInUse, NoSuchCustomer
        from hawker.accounts.models import KeyScope

        if scope not in KeyScope.values:
            fail(f"--scope is {' or '.join(KeyScope.values)}, not {scope!r}")
        verb = "add" if key is None else "import"
        with sentences(NoSuchCustomer, BadKey, KeyInUse), changing(f"key.{verb}") as change:
            user = find_customer(email)
            issued = issue_key(
                user,
                now=now,
                label=label,
                scope=KeyScope(scope),
                networks=networks,
                expires_at=expires_at,
                key=key,
            )
            change.note("key", issued.key_id, after={"customer": user.email} | _audited(find_key(issued.key_id), now))
    # A key that was brought along is known to whoever brought it: it is not shown again.
    answer({"key": issued.key_id} if key is not None else {"key": issued.key_id, "api_key": issued.key})


def _described(key: "ApiKey", now: datetime) -> dict[str, Any]:
    state = "revoked" if key.revoked_at is not None else "active" if key.is_live(now) else "expired"
    return {
        "key": key.id,
        "state": state,
        "ends_with": key.hint,
        "label": key.label,
        "scope": key.scope,
        "addresses": key.allowed_addresses,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by_id,
        "last_used_at": key.last_used_at,
        "last_address": key.last_address,
    }


def _audited(key: "ApiKey", now: datetime) -> dict[str, Any]:
    """What the audit log tells of a key: nothing of the key itself, and no news of its use."""
    silent = ("key", "ends_with", "last_used_at", "last_address")
    return {name: value for name, value in _described(key, now).items() if name not in silent}
