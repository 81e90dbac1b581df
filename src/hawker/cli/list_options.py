"""The options that every list command has, and how it answers."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from hawker.cli.output import answer, fail, say, sentences
from hawker.core.terminal import shown_json

if TYPE_CHECKING:
    from hawker.lists.filters import Filters
    from hawker.lists.reading import Page, Row

_CHUNK = 500
"""Rows whose documents are made at once where all rows are wanted."""


class Format(StrEnum):
    """How rows are written."""

    JSON = "json"
    CSV = "csv"


FilterOption = Annotated[
    list[str], typer.Option("--filter", help="NAME=VALUE, or NAME alone for yes; may be repeated. See lists.md.")
]
SortOption = Annotated[str, typer.Option("--sort", help="A sort key of the list, -KEY for the other way round.")]
AfterOption = Annotated[str, typer.Option("--after", help="Go on behind this position, which a list before gave.")]
LimitOption = Annotated[int, typer.Option("--limit", min=0, max=10_000, help="At most this many; 0 for all.")]
FormatOption = Annotated[Format, typer.Option("--format", help="json, or csv with the list's columns.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the shared options say."""

    filters: Sequence[str] = ()
    sort: str = ""
    after: str = ""
    limit: int = 100
    format: Format = Format.JSON


def answer_list(name: str, wanted: Wanted, chosen: Mapping[str, str | None] | None = None) -> None:
    """Print the rows of a list. `chosen` has the filters that a command has options of its own for, None for not given.

    stderr says where a limit cut the list. Ends the command with a sentence where a filter is wrong.
    """
    from hawker.lists.errors import BadList
    from hawker.lists.filters import read_filters
    from hawker.lists.reading import read_page, stream

    with sentences(BadList):
        filters = read_filters(name, read_pairs(wanted.filters, chosen))
        if not wanted.limit:
            _write(name, wanted.format, stream(name, filters, sort=wanted.sort, after=wanted.after or None))
            return
        page = read_page(name, filters, sort=wanted.sort, after=wanted.after or None, limit=wanted.limit)
        _write(name, wanted.format, iter(page.rows))
        _say_what_is_left(name, filters, page)


def read_pairs(pairs: Sequence[str], chosen: Mapping[str, str | None] | None = None) -> Mapping[str, str]:
    """The filters by name that `--filter NAME=VALUE` gives, beside those of `chosen`; one given twice fails."""
    texts: dict[str, str] = {}
    given = [(filter_, text) for filter_, text in (chosen or {}).items() if text is not None]
    for filter_, text in [*given, *((pair.partition("=")[0], pair.partition("=")[2]) for pair in pairs)]:
        if filter_ in texts:
            fail(f"the filter {filter_} is given twice")
        texts[filter_.strip()] = text
    return texts


def _write(name: str, format_: Format, rows: "Iterator[Row]") -> None:
    from hawker.lists.documents import documents_of
    from hawker.lists.reading import columns_of
    from hawker.lists.rendering import CsvWriter

    columns = columns_of(name)
    if format_ is Format.CSV:
        writer = CsvWriter(sys.stdout, columns)
        for row in rows:
            writer.write(row)
        sys.stdout.flush()
        return
    first = list(islice(rows, _CHUNK))
    second = list(islice(rows, _CHUNK))
    if not second:
        answer(documents_of(name, columns, first))
        return
    # More than fits into memory at once may follow: one document all the same.
    before = "["
    for part in (first, second, *iter(lambda: list(islice(rows, _CHUNK)), [])):
        for document in documents_of(name, columns, part):
            sys.stdout.write(before + shown_json(msgspec.json.encode(document).decode()))
            before = ","
    sys.stdout.write("]\n")
    sys.stdout.flush()


def _say_what_is_left(name: str, filters: "Filters", page: "Page") -> None:
    from hawker.lists.reading import count

    if page.next is None:
        return
    if page.bounded_since is not None:
        say(f"searched back to {page.bounded_since:%Y-%m-%d} only; --after {page.next} goes on from there")
        return
    say(f"showing {len(page.rows):,} of {count(name, filters)}; --after {page.next} shows the next")
