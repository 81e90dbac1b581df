"""Every question that can be asked of each list: each filter with each of its choices, alone and beside the scope."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from hawker.lists.declaration import Filter, FilterType, ListDeclaration
from hawker.lists.errors import BadSort
from hawker.lists.filters import Filters, Span, Value
from hawker.lists.registry import LISTS
from hawker.lists.statements import Question, ask_list, boundary_statement, count_statement, page_statement

_SPANS = (Span(since=datetime(2026, 11, 1, tzinfo=UTC), until=datetime(2026, 11, 2, tzinfo=UTC)),)


def values_of(filter_: Filter) -> tuple[Value, ...]:
    """The values to ask with."""
    match filter_.type:
        case FilterType.CHOICE:
            return filter_.choices
        case FilterType.FLAG:
            return (True, False)
        case FilterType.SPAN:
            return _SPANS
        case FilterType.TEXT:
            return ("text",)
        case _:
            return (1_000,)


def questions() -> Iterator[tuple[str, Question]]:
    """Each list without a filter, by each sort, and with each value of each filter."""
    for declaration in LISTS.values():
        for sort in ("", *(f"{mark}{sort.name}" for sort in declaration.sorts for mark in ("", "-"))):
            with suppress(BadSort):
                yield _named(declaration, Filters(declaration.name), sort)
        for filter_ in declaration.filters:
            for value in values_of(filter_):
                yield _named(declaration, Filters(declaration.name, {filter_.name: value}), "")
                if declaration.own and filter_.own:
                    both: dict[str, Value] = {filter_.name: value, declaration.own: 1_000}
                    yield _named(declaration, Filters(declaration.name, both), "")


def _named(declaration: ListDeclaration, filters: Filters, sort: str) -> tuple[str, Question]:
    words = [declaration.name, sort, *(f"{name}={value}" for name, value in filters.values.items())]
    return " ".join(filter(None, words)), ask_list(declaration, filters, columns=declaration.columns, sort=sort)


def statements_of(question: Question) -> Iterator[tuple[str, str]]:
    """What a question sends, from behind a position."""
    yield "page", page_statement(question, after=True)
    yield "count", count_statement(question)
    if question.walk is not None:
        yield "boundary", boundary_statement(question, after=True)
