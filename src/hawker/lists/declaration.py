"""What a list is: its columns, filters, sort keys, and the narrow ways to its rows. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ColumnType(StrEnum):
    """What a column holds, which decides how JSON, CSV and pages write it."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"
    MONEY = "money"  # micros in the row, a decimal text in JSON and CSV
    INSTANT = "instant"
    DAY = "day"
    FACTS = "facts"  # any JSON value


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `sql` is its expression over the list's tables; `own` says that customers may see it too."""

    name: str
    label: str
    type: ColumnType
    sql: str
    own: bool = False


class FilterType(StrEnum):
    """How the text of a filter is read."""

    CHOICE = "choice"
    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"  # yes or no; without a value it is yes
    SPAN = "span"  # a day, a month, two of them with .. between, or a time back such as 7d
    NAME = "name"  # a text that names one row of another table: the statement gets that row's id


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. `sql` is its condition, with the value as `%(name)s`.

    Of a CHOICE, `by_choice` gives a choice a condition of its own. Of a FLAG, `sql` is the condition for yes. Of a
    SPAN, `sql` is the expression of an instant. Of a NAME, `lookup` is the statement that finds the row's id by the
    text. `default` is the value of a filter that is given without one. `own` says that customers may use it too.
    """

    name: str
    label: str
    type: FilterType
    help: str
    sql: str
    choices: tuple[str, ...] = ()
    by_choice: Mapping[str, str] = field(default_factory=dict)
    lookup: str = ""
    default: str | None = None
    own: bool = False


class KeyType(StrEnum):
    """The type of a sort key's value: cursors carry these values as text."""

    NUMBER = "number"
    TEXT = "text"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class Sort:
    """One order of the rows. The keys are never NULL and the last one is the row's own number, so all are unique."""

    name: str
    label: str
    keys: tuple[tuple[str, KeyType], ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """One place where keys of rows are read in order: what follows FROM, the keys there, and which of them.

    `{name}` in `source` and `where` stands for the condition of that filter.
    """

    source: str
    keys: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Walk:
    """A way to the rows of a list that an index serves: keys are read in the order of `sort`, rows looked up by them.

    It is taken when all filters of `when` are given (with one of the values named there, where some are). The
    filters of `covers` hold for everything it finds. `in_place` says that the branch reads the list's own rows, under
    their alias, so that none is looked up. `descending` is the direction in which it is walked when nobody asks for
    another. At most `window` keys are read for one page: so many that it takes 50 ms where none of them is shown,
    or `at_most`.

    The values of a SPAN are `day` (at most 36 hours), `closed` (longer, with an end), `open`.
    """

    name: str
    branches: tuple[Branch, ...]
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    covers: tuple[str, ...] = ()
    sort: str = ""
    descending: bool | None = None
    in_place: bool = False
    at_most: int | None = None

    @property
    def window(self) -> int:
        """How many keys are read for one page: rows that must be looked up cost four times as much."""
        if self.at_most is not None:
            return self.at_most
        return 20_000 if self.in_place else 5_000


@dataclass(frozen=True, slots=True)
class ListDeclaration:
    """A list that a person reads.

    `table`, `alias` and `key` name the rows and their unique number; `joins` follows them in FROM. `own` is the
    filter by which the list is cut to one account, empty where only staff read it. `instant` is when a row was made:
    a page that could not read on says so by it. `walks` are looked through from the first; a list without any is
    small and read as it is.
    """

    name: str
    title: str
    table: str
    alias: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]
    sorts: tuple[Sort, ...]
    key: str = "id"
    joins: str = ""
    own: str = ""
    instant: str = ""
    walks: tuple[Walk, ...] = ()

    def filter(self, name: str) -> Filter | None:
        """The filter of this name, if there is one."""
        return next((each for each in self.filters if each.name == name), None)

    def sort(self, name: str) -> Sort | None:
        """The sort of this name, if there is one; the default without a name."""
        return self.sorts[0] if not name else next((each for each in self.sorts if each.name == name), None)
