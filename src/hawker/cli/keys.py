"""`hawker key`: the API keys of a customer, added, listed, rotated, revoked, brought along."""

from typing import Annotated

import typer

from hawker.cli.key_files import KEY_FILE_HELP, read_key_file
from hawker.cli.output import answer, sentences
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

app = typer.Typer(no_args_is_help=True)

KEY_HELP = "The key's number, from `hawker key list`."

EmailArgument = Annotated[str, place("key.add", "email")]
LabelOption = Annotated[str, flag("key.add", "label")]
ScopeOption = Annotated[str, flag("key.add", "scope")]
AddressOption = Annotated[
    list[str], typer.Option(help="Address or network the key may be used from; repeat for more. Anywhere without.")
]
ExpiresOption = Annotated[str | None, flag("key.add", "expires")]


@runs(app, "key.add")
def add(
    email: EmailArgument,
    *,
    label: LabelOption = "",
    scope: ScopeOption = "order",
    address: AddressOption = [],  # noqa: B006
    expires: ExpiresOption = None,
) -> Values:
    """Add a key, which is shown this once."""
    return {"email": email, "label": label, "scope": scope, "addresses": address, "expires": expires}


@runs(app, "key.import", name="import")
def import_(
    email: EmailArgument,
    *,
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "-",
    label: LabelOption = "",
    scope: ScopeOption = "order",
    address: AddressOption = [],  # noqa: B006
    expires: ExpiresOption = None,
) -> Values:
    """Let a key of another panel work here, so that its owner's programs need no change."""
    key = read_key_file(key_file)
    return {"email": email, "key": key, "label": label, "scope": scope, "addresses": address, "expires": expires}


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


@runs(app, "key.revoke", many="keys")
def revoke(key: Annotated[list[int], place("key.revoke", "key", help=KEY_HELP)] = []) -> Values:  # noqa: B006
    """End keys. Within a second no process lets them in."""
    return {"key": key}


@runs(app, "key.rotate")
def rotate(
    key: Annotated[int, place("key.rotate", "key", help=KEY_HELP)],
    *,
    overlap: Annotated[str, flag("key.rotate", "overlap")] = "24h",
) -> Values:
    """Put a new key in the place of an old one. The new key is shown this once."""
    return {"key": key, "overlap": overlap}
