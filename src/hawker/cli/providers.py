"""`hawker provider`: connect an upstream panel, take its catalogue, list them."""

from typing import TYPE_CHECKING, Annotated

import typer

from hawker.cli.key_files import KEY_FILE_HELP, read_provider_key
from hawker.cli.list_options import (
    AfterOption,
    FilterOption,
    Format,
    FormatOption,
    LimitOption,
    SortOption,
    Wanted,
    answer_list,
)
from hawker.cli.output import fail, progress, progress_done, say
from hawker.cli.panel import DataDirOption, panel
from hawker.cli.running import Values, flag, place, runs

if TYPE_CHECKING:
    from hawker.operations.providers import ProviderAdded, ServicesImported

app = typer.Typer(no_args_is_help=True)


def _connected(added: "ProviderAdded") -> "ProviderAdded":
    say(f"connected to {added.name}: our balance there is {added.balance} {added.currency}")
    return added


@runs(app, "provider.add", show=_connected)
def add(
    name: Annotated[str, place("provider.add", "name")],
    *,
    url: Annotated[str, flag("provider.add", "url")],
    key: Annotated[str, typer.Option(help="Our API key there; better from --key-file or HAWKER_PROVIDER_KEY.")] = "",
    key_file: Annotated[str, typer.Option(help=KEY_FILE_HELP)] = "",
    allow_private: Annotated[bool, flag("provider.add", "allow_private", "--allow-private")] = False,
    exchange_rate: Annotated[str, flag("provider.add", "exchange_rate")] = "1",
) -> Values:
    """Connect an upstream panel: tests the address and the key, shows our balance there, then saves."""
    key = read_provider_key(key, key_file, from_environment=True)
    if not key:
        fail("say our key there: --key-file, --key, or HAWKER_PROVIDER_KEY")
    return {"name": name, "url": url, "key": key, "allow_private": allow_private, "exchange_rate": exchange_rate}


def _imported(report: "ServicesImported") -> "ServicesImported":
    progress_done()
    return report


@runs(app, "provider.import", name="import", show=_imported)
def import_(
    name: Annotated[str, place("provider.import", "provider")],
    *,
    markup: Annotated[int, flag("provider.import", "markup")] = 25,
    category: Annotated[list[str], flag("provider.import", "categories")] = [],  # noqa: B006
    accept_price_jumps: Annotated[bool, flag("provider.import", "accept_price_jumps", "--accept-price-jumps")] = False,
) -> Values:
    """Take a provider's catalogue into ours, or refresh what was taken before."""
    progress(f"asking {name} for its services")
    return {"provider": name, "markup": markup, "categories": category, "accept_price_jumps": accept_price_jumps}


@app.command(name="list")
def list_(
    *,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 0,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """All providers with our balance there as last heard."""
    del data_dir
    with panel():
        answer_list("providers", Wanted(filters, sort, after, limit, format_))
