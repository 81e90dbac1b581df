"""Reading what a person filters by: each text by its filter's type, each mistake as one sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from hawker.core.clock import SystemClock
from hawker.core.sql import read_rows
from hawker.lists.declaration import Filter, FilterType, ListDeclaration
from hawker.lists.errors import BadFilter
from hawker.lists.registry import find_list

MAX_TEXT = 2_000
MAX_NUMBER = 2**63 - 1
_BACK = re.compile(r"([0-9]{1,5})([mhd])")
_UNKEPT = re.compile("[\0\ud800-\udfff]")
"""What no text in PostgreSQL has; half characters stand for bytes of a command line that are no UTF-8."""
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to but without `until`; None is open."""

    since: datetime | None = None
    until: datetime | None = None


Value: TypeAlias = str | int | bool | Span


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of one list with their values, read and checked."""

    list: str
    values: Mapping[str, Value] = field(default_factory=dict)


def read_filters(name: str, texts: Mapping[str, str], *, now: datetime | None = None) -> Filters:
    """The filters that these texts give, by name. An empty text is the filter without a value: yes, or its default.

    Names of customers and providers are looked up. Raises NoSuchList, BadFilter with one sentence that names the
    filter and its possible values, or Unavailable.
    """
    declaration = find_list(name)
    moment = now or SystemClock().now()
    values: dict[str, Value] = {}
    for key, text in texts.items():
        filter_ = declaration.filter(key)
        if filter_ is None:
            raise BadFilter(f"there is no filter {key!r} of {name}; there are: {_names(declaration)}")
        values[key] = _read(filter_, text or (filter_.default or ""), moment)
    return Filters(name, values)


def _names(declaration: ListDeclaration) -> str:
    return ", ".join(each.name for each in declaration.filters) or "none"


def _read(filter_: Filter, text: str, now: datetime) -> Value:
    if len(text) > MAX_TEXT or _UNKEPT.search(text):
        raise BadFilter(f"{filter_.name} is a text of at most {MAX_TEXT} characters in valid UTF-8, without NUL")
    match filter_.type:
        case FilterType.CHOICE:
            return _read_choice(filter_, text)
        case FilterType.NUMBER:
            return _read_number(filter_, text)
        case FilterType.FLAG:
            return _read_flag(filter_, text)
        case FilterType.SPAN:
            return _read_span(filter_, text, now)
        case FilterType.NAME:
            return _look_up(filter_, text)
        case FilterType.TEXT:
            if not text:
                raise BadFilter(f"{filter_.name} needs a value: {filter_.help}")
            return text


def _read_choice(filter_: Filter, text: str) -> str:
    if text not in filter_.choices:
        raise BadFilter(f"there is no {filter_.name} {text!r}; there are: {', '.join(filter_.choices)}")
    return text


def _read_number(filter_: Filter, text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,19}", text, re.ASCII) else -1
    if not 0 <= number <= MAX_NUMBER:
        raise BadFilter(f"{filter_.name} is a whole number, not {text!r}")
    return number


def _read_flag(filter_: Filter, text: str) -> bool:
    word = text.lower()
    if word and word not in (*_YES, *_NO):
        raise BadFilter(f"{filter_.name} is yes or no, not {text!r}")
    return word not in _NO


def _look_up(filter_: Filter, text: str) -> int:
    found = read_rows(filter_.lookup, (text,)) if text else []
    if not found:
        raise BadFilter(f"there is no {filter_.label.lower()} {text!r}")
    number: int = found[0][0]
    return number


def _read_span(filter_: Filter, text: str, now: datetime) -> Span:
    """7d; 2026-11-29; 2026-11; 2026-11-29T10:00Z; and two of those with `..` between, one of which may be missing."""
    if back := _BACK.fullmatch(text):
        return Span(since=now - int(back[1]) * _UNITS[back[2]])
    first, dots, last = text.partition("..")
    try:
        since = _start(first) if first else None
        if not dots and since is not None:
            return Span(since, _end(first))
        until = _end(last) if last else None
    except (ValueError, OverflowError):
        since = until = None
    if since is None and until is None:
        raise BadFilter(
            f"{filter_.name} is a time back such as 7d, a day, a month, or two with .. between "
            f"(2026-11-01..2026-11-15, 2026-11-01..), not {text!r}"
        )
    return Span(since, until)


def _start(text: str) -> datetime:
    moment = datetime.fromisoformat(f"{text}-01" if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text) else text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _end(text: str) -> datetime:
    """The end of the month or day that the text names; an instant is its own end."""
    start = _start(text)
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        return (start + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=1) if len(text) == len("2026-11-29") else start
