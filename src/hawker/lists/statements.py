"""The statements of a list, made of its declaration: which walk is taken, and what is sent. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hawker.lists.declaration import Branch, Column, Filter, FilterType, ListDeclaration, Sort, Walk
from hawker.lists.errors import BadSort
from hawker.lists.filters import Filters, Span

_DAY = timedelta(hours=36)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a list: its filters as conditions, the walk that serves them, the order and the columns."""

    declaration: ListDeclaration
    columns: Sequence[Column]
    conditions: Mapping[str, str]
    """The condition of each filter that is given, by its name."""
    parameters: Mapping[str, Any]
    walk: Walk | None
    sort: Sort
    descending: bool

    @property
    def keys(self) -> Sequence[str]:
        return [sql for sql, _ in self.sort.keys]

    @property
    def residual(self) -> Sequence[str]:
        """The conditions that the walk does not keep by itself."""
        covered = self.walk.covers if self.walk is not None else ()
        return [sql for name, sql in self.conditions.items() if name not in covered]


_OWN_KEYS = ("order", "parent")
"""Filters of one order, all of whose rows are of one account."""


def ask_list(
    declaration: ListDeclaration, filters: Filters, *, columns: Sequence[Column], sort: str = "", own: bool = False
) -> Question:
    """Choose how the list is read. `sort` is a sort's name, with `-` before it for the other way round.

    For an account that reads its `own` rows, only walks that look through rows of that account are chosen: where a
    search stopped would tell of others' rows, and pages could be empty for theirs. Raises BadSort.
    """
    name = sort.removeprefix("-")
    asked = declaration.sort(name)
    if asked is None:
        there = ", ".join(each.name for each in declaration.sorts)
        raise BadSort(f"{declaration.name} cannot be sorted by {name!r}; there are: {there}")
    walk = _choose(declaration, filters, sort=name, own=own)
    if walk is None and declaration.walks:
        needed = sorted({key for each in declaration.walks if each.sort == name for key in each.when})
        raise BadSort(f"{declaration.name} can be sorted by {name} with the filter {' or '.join(needed)} only")
    if walk is not None and not name and walk.sort:
        chosen = declaration.sort(walk.sort)
        assert chosen is not None, "a walk serves a sort of its list"
        asked = chosen
    descending = asked.descending
    if walk is not None and not name and walk.descending is not None:
        descending = walk.descending
    conditions = {key: _condition(_filter(declaration, key), value) for key, value in filters.values.items()}
    parameters = dict(_parameters(filters))
    return Question(
        declaration,
        columns,
        conditions,
        parameters,
        walk,
        asked,
        not descending if sort.startswith("-") else descending,
    )


def _choose(declaration: ListDeclaration, filters: Filters, *, sort: str, own: bool) -> Walk | None:
    """The first walk whose filters are given and that serves the sort, where one was asked for."""
    for walk in declaration.walks:
        if own and not any(name in walk.when for name in (declaration.own, *_OWN_KEYS)):
            continue
        serves = not sort or sort == (walk.sort or declaration.sorts[0].name)
        if serves and all(
            name in filters.values and (not values or _text(filters.values[name]) in values)
            for name, values in walk.when.items()
        ):
            return walk
    return None


def _text(value: object) -> str:
    """The value as a walk names it."""
    if isinstance(value, Span):
        if value.until is None:
            return "open"
        return "day" if value.since is not None and value.until - value.since <= _DAY else "closed"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _filter(declaration: ListDeclaration, name: str) -> Filter:
    found = declaration.filter(name)
    assert found is not None, "filters are read by read_filters"
    return found


def _condition(filter_: Filter, value: object) -> str:
    match filter_.type:
        case FilterType.FLAG:
            return f"({filter_.sql})" if value else f"NOT ({filter_.sql})"
        case FilterType.CHOICE:
            return f"({filter_.by_choice.get(str(value), filter_.sql)})"
        case FilterType.SPAN:
            assert isinstance(value, Span)
            ends = []
            if value.since is not None:
                ends.append(f"{filter_.sql} >= %({filter_.name}_since)s")
            if value.until is not None:
                ends.append(f"{filter_.sql} < %({filter_.name}_until)s")
            return " AND ".join(ends)
        case _:
            return f"({filter_.sql})"


def _parameters(filters: Filters) -> Iterator[tuple[str, Any]]:
    for name, value in filters.values.items():
        if isinstance(value, Span):
            yield f"{name}_since", value.since
            yield f"{name}_until", value.until
        else:
            yield name, value


# --- the statements -----------------------------------------------------------------------------------------


def page_statement(question: Question, *, after: bool) -> str:
    """The rows behind a position, at most `%(limit)s`: their sort keys first, then their columns."""
    keys = _found_keys(question)
    shown = [*keys, *(column.sql for column in question.columns)]
    return (
        f"SELECT {', '.join(shown)}\n  FROM {_rows(question, after=after)}\n{_where(question, after=after)}"
        f" ORDER BY {_order(keys, question)} LIMIT %(limit)s"
    )


def boundary_statement(question: Question, *, after: bool) -> str:
    """The last key that a walk's window has read, with the instant of its row; no row where it came to the end."""
    assert question.walk is not None, "only walks have a window"
    keys, declaration = _walked_keys(question), question.declaration
    walked = f"(SELECT * FROM ({_walked(question, after=after)}) read OFFSET %(window)s - 1 LIMIT 1) walked"
    return f"SELECT {', '.join(keys)}, {declaration.instant}\n  FROM {walked}\n{_look_up(question)} {declaration.joins}"


def count_statement(question: Question) -> str:
    """How many rows there are, counted up to `%(limit)s`."""
    if question.walk is not None and not question.residual:
        counted = f"SELECT FROM ({_walked(question, after=False)}) walked"
    else:
        counted = f"SELECT FROM {_rows(question, after=False)}\n{_where(question, after=False)}"
    return f"SELECT count(*) FROM ({counted} LIMIT %(limit)s) counted"


def _rows(question: Question, *, after: bool) -> str:
    declaration, walk = question.declaration, question.walk
    alias, joins = declaration.alias, declaration.joins
    if walk is None:
        return f"{declaration.table} {alias} {joins}"
    if walk.in_place:
        return f"({_branch(question, walk.branches[0], f'{alias}.*', after=after)}) {alias} {joins}"
    return f"({_walked(question, after=after)}) walked\n{_look_up(question)} {joins}"


def _look_up(question: Question) -> str:
    """The row of each key that was walked. OFFSET 0 keeps the planner from turning it round and reading all rows."""
    declaration, walk = question.declaration, question.walk
    last = f"k{len(question.sort.keys) - 1}"
    return (
        f" CROSS JOIN LATERAL (SELECT * FROM {declaration.table} WHERE {declaration.key} = walked.{last} OFFSET 0)"
        f" {declaration.alias}"
        if walk is not None
        else ""
    )


def _walked(question: Question, *, after: bool) -> str:
    """The keys of a walk in their order, each once, as columns k0, k1, …; at most the window."""
    walk = question.walk
    assert walk is not None
    names = [f"k{place}" for place in range(len(question.sort.keys))]
    parts = []
    for branch in walk.branches:
        shown = ", ".join(f"{key} AS {name}" for key, name in zip(branch.keys, names, strict=True))
        parts.append(_branch(question, branch, shown, after=after))
    if len(parts) == 1:
        return parts[0]
    union = "\nUNION ALL\n".join(f"({part})" for part in parts)
    found = f"SELECT DISTINCT {', '.join(names)} FROM ({union}) branches"
    return f"{found} ORDER BY {_order(names, question)} LIMIT %(window)s"


def _branch(question: Question, branch: Branch, shown: str, *, after: bool) -> str:
    source = branch.source.format_map(question.conditions)
    conditions = [branch.where.format_map(question.conditions)] if branch.where else []
    if after:
        conditions.append(_behind(branch.keys, question))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {shown} FROM {source}{where} ORDER BY {_order(branch.keys, question)} LIMIT %(window)s"


def _where(question: Question, *, after: bool) -> str:
    conditions = list(question.residual)
    if after and question.walk is None:
        conditions.append(_behind(question.keys, question))
    return f" WHERE {' AND '.join(conditions)}\n" if conditions else ""


def _behind(keys: Sequence[str], question: Question) -> str:
    places = ", ".join(f"%(after_{place})s" for place in range(len(keys)))
    compared = "<" if question.descending else ">"
    return f"({', '.join(keys)}) {compared} ({places})" if len(keys) > 1 else f"{keys[0]} {compared} {places}"


def _order(keys: Sequence[str], question: Question) -> str:
    return ", ".join(f"{key} {'DESC' if question.descending else 'ASC'}" for key in keys)


def _found_keys(question: Question) -> Sequence[str]:
    walk = question.walk
    return question.keys if walk is None or walk.in_place else _walked_keys(question)


def _walked_keys(question: Question) -> Sequence[str]:
    return [f"walked.k{place}" for place in range(len(question.sort.keys))]
