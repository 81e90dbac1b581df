"""Reading lists: a page, a count, a stream. Every door reads them here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hawker.core.clock import SystemClock
from hawker.core.sql import Cursor, in_transaction
from hawker.lists.cursors import read_cursor, write_cursor
from hawker.lists.declaration import Column, ColumnType, ListDeclaration
from hawker.lists.errors import BadCursor, BadFilter, NoSuchList
from hawker.lists.filters import Filters
from hawker.lists.registry import find_list
from hawker.lists.statements import Question, ask_list, boundary_statement, count_statement, page_statement

MAX_LIMIT = 10_000
COUNTED_UP_TO = 10_000
"""More rows than this are not counted."""

COUNTED_THROUGH = 20_000
"""Rows that are looked through for a count."""

_STREAMED = 1_000
"""Rows that a stream reads at once: each such part is a short transaction, so that a slow reader keeps no snapshot,
and with it no dead rows, in the database."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Who reads: staff, who see everything, or one account, which sees its own."""

    account_id: int | None = None


STAFF = Scope()


def own(account_id: int) -> Scope:
    """The scope of one account."""
    return Scope(account_id)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, and the values of its columns by name. Money is in micros, instants are in UTC."""

    key: Any
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in their order. `next` is the position behind them, None at the end of the list.

    `bounded_since`: so many rows do not pass the filters that the search stopped at the rows of that time. What is
    older comes with `next`.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    next: str | None
    bounded_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows pass the filters. Exact, unless there are more than COUNTED_UP_TO, or the count stopped at the
    rows of `bounded_since`."""

    number: int
    is_exact: bool
    bounded_since: datetime | None = None

    def __str__(self) -> str:
        """`137`, `10,000+`; `137 since 2026-08-31` where older rows were not counted."""
        text = f"{self.number:,}"
        if self.bounded_since is not None:
            return f"{text} since {self.bounded_since:%Y-%m-%d}"
        return text if self.is_exact else f"{text}+"


def read_page(
    name: str,
    filters: Filters | None = None,
    *,
    scope: Scope = STAFF,
    sort: str = "",
    after: str | None = None,
    limit: int = 100,
    window: int | None = None,
    now: datetime | None = None,
) -> Page:
    """At most `limit` rows (1 to MAX_LIMIT) behind the position `after`, in at most four statements.

    `window` is how many rows are looked through for one page; without it as many as the list's own walk says.

    `sort` is the name of a sort key, with `-` before it for the other way round; a position keeps the sort it was
    made with. Raises NoSuchList, BadFilter, BadSort, BadCursor, Unavailable.
    """
    declaration, asked = _scoped(name, filters, scope)
    columns, is_own = _columns(declaration, scope), scope.account_id is not None
    keys: tuple[Any, ...] = ()
    if after is not None:
        sort_name, descending, keys = read_cursor(after, declaration)
        question = ask_list(declaration, asked, columns=columns, sort=sort_name, own=is_own)
        if question.descending != descending:
            question = ask_list(declaration, asked, columns=columns, sort=f"-{sort_name}", own=is_own)
        if sort and ask_list(declaration, asked, columns=columns, sort=sort, own=is_own).descending != descending:
            raise BadCursor("this position belongs to another order of the list")
    else:
        question = ask_list(declaration, asked, columns=columns, sort=sort, own=is_own)
    moment = now or SystemClock().now()
    parameters = _parameters(question, keys, moment, window) | {"limit": max(1, min(limit, MAX_LIMIT)) + 1}
    return in_transaction(lambda cursor: _read_page(cursor, question, parameters, after=bool(keys)))


def count(name: str, filters: Filters | None = None, *, scope: Scope = STAFF, now: datetime | None = None) -> Count:
    """How many rows pass the filters, up to COUNTED_UP_TO, in at most four statements.

    Raises NoSuchList, BadFilter, Unavailable.
    """
    declaration, asked = _scoped(name, filters, scope)
    question = ask_list(declaration, asked, columns=(), own=scope.account_id is not None)
    return in_transaction(lambda cursor: _count(cursor, question, now or SystemClock().now()))


def stream(
    name: str,
    filters: Filters | None = None,
    *,
    scope: Scope = STAFF,
    sort: str = "",
    after: str | None = None,
    now: datetime | None = None,
) -> Iterator[Row]:
    """Every row that passes the filters, from the first or from behind `after`, in memory that does not grow.

    Rows are read in parts: one that is changed meanwhile is seen before or after its change, one that is added
    before the place where the stream is does not come. Raises as read_page does, from the first row on.
    """
    position = after
    while True:
        page = read_page(name, filters, scope=scope, sort=sort, after=position, limit=_STREAMED, now=now)
        yield from page.rows
        position = page.next
        if position is None:
            return


def columns_of(name: str, *, scope: Scope = STAFF) -> Sequence[Column]:
    """The columns that whoever reads in this scope sees. Raises NoSuchList."""
    declaration, _ = _scoped(name, None, scope)
    return _columns(declaration, scope)


def _columns(declaration: ListDeclaration, scope: Scope) -> Sequence[Column]:
    return [column for column in declaration.columns if scope.account_id is None or column.own]


def _scoped(name: str, filters: Filters | None, scope: Scope) -> tuple[ListDeclaration, Filters]:
    """The list and its filters, cut to the scope. Raises NoSuchList, and BadFilter for a filter of staff."""
    declaration = find_list(name)
    asked = filters or Filters(name)
    assert asked.list == name, "filters are read for one list"
    if scope.account_id is None:
        return declaration, asked
    if not declaration.own:
        raise NoSuchList(f"there is no list {name!r}")
    for key in asked.values:
        filter_ = declaration.filter(key)
        if filter_ is None or not filter_.own:
            there = ", ".join(each.name for each in declaration.filters if each.own)
            raise BadFilter(f"there is no filter {key!r} of {name}; there are: {there}")
    return declaration, Filters(name, {**asked.values, declaration.own: scope.account_id})


def _read_page(cursor: Cursor, question: Question, parameters: Mapping[str, Any], *, after: bool) -> Page:
    found = _execute(cursor, page_statement(question, after=after), parameters)
    # One more than the page holds was asked for: it tells whether there is a next page.
    limit, width = parameters["limit"] - 1, len(question.sort.keys)
    rows = [_row(question.columns, row, width) for row in found[:limit]]
    declaration = question.declaration

    def position(at: Sequence[Any]) -> str:
        return write_cursor(declaration, question.sort, descending=question.descending, keys=at)

    if len(found) > limit:
        return Page(question.columns, rows, position(found[limit - 1][:width]))
    boundary = _read_boundary(cursor, question, parameters, after=after)
    if boundary is None:
        return Page(question.columns, rows, None)
    return Page(question.columns, rows, position(boundary[:width]), boundary[width])


def _read_boundary(
    cursor: Cursor, question: Question, parameters: Mapping[str, Any], *, after: bool
) -> tuple[Any, ...] | None:
    """Where the walk's window ended, with the instant of that row; None where it came to the end of the list."""
    if question.walk is None:
        return None
    found = _execute(cursor, boundary_statement(question, after=after), parameters)
    return found[0] if found else None


def _count(cursor: Cursor, question: Question, now: datetime) -> Count:
    parameters = _parameters(question, (), now, _counted_through(question)) | {"limit": COUNTED_UP_TO + 1}
    ((number,),) = _execute(cursor, count_statement(question), parameters)
    if number > COUNTED_UP_TO:
        return Count(COUNTED_UP_TO, is_exact=False)
    boundary = _read_boundary(cursor, question, parameters, after=False)
    return Count(number, is_exact=boundary is None, bounded_since=None if boundary is None else boundary[-1])


def _counted_through(question: Question) -> int | None:
    own = question.walk.at_most if question.walk is not None else None
    return COUNTED_THROUGH if own is None else own


def _parameters(question: Question, keys: Sequence[Any], now: datetime, window: int | None) -> dict[str, Any]:
    own = question.walk.window if question.walk is not None else 0
    behind = {f"after_{place}": key for place, key in enumerate(keys)}
    return {**question.parameters, **behind, "window": own if window is None else window, "now": now}


def _execute(cursor: Cursor, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    # Planned with the values each time: whether a service sells often or never makes another plan.
    return cursor.execute(statement, parameters, prepare=False).fetchall()


def _row(columns: Sequence[Column], row: Sequence[Any], width: int) -> Row:
    values = {
        column.name: _facts(value) if column.type is ColumnType.FACTS else value
        for column, value in zip(columns, row[width:], strict=True)
    }
    return Row(row[width - 1], values)


def _facts(value: Any) -> Any:
    import msgspec

    return msgspec.json.decode(value) if isinstance(value, str | bytes) else value
