"""`hawker list`: any list by its name."""

from typing import Annotated

import typer

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
from hawker.cli.panel import DataDirOption, panel


def list_(
    name: Annotated[str, typer.Argument(help="The list's name, such as attempts; a wrong one names all.")],
    *,
    filters: FilterOption = [],  # noqa: B006 - typer's way to say none
    sort: SortOption = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
    format_: FormatOption = Format.JSON,
    data_dir: DataDirOption = None,
) -> None:
    """Any list by its name: attempts, unknowns, cancels, transfers, deposits and all the others."""
    del data_dir
    with panel():
        answer_list(name, Wanted(filters, sort, after, limit, format_))
