"""Rows as JSON and CSV have them."""

import csv
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import IO, Any

import msgspec

from hawker.core.money import format_micros
from hawker.lists.declaration import Column, ColumnType
from hawker.lists.reading import Row

_FORMULA = re.compile(r"[=+\-\t\r]|@(?![\w.]+$)")
"""What a spreadsheet runs. A handle such as @name is none, and common among links."""


def json_of(columns: Sequence[Column], row: Row) -> dict[str, Any]:
    """The row as a JSON object: money as a decimal text, instants and days in ISO 8601."""
    return {column.name: _json(column, row.values[column.name]) for column in columns}


class CsvWriter:
    """Writes rows as CSV (RFC 4180, UTF-8), the names of the columns first."""

    def __init__(self, file: IO[str], columns: Sequence[Column]) -> None:
        self._columns = columns
        self._writer = csv.writer(file)
        self._writer.writerow([column.name for column in columns])

    def write(self, row: Row) -> None:
        """One line. A text that a spreadsheet would run as a formula gets an apostrophe before it."""
        self._writer.writerow([_csv(column, row.values[column.name]) for column in self._columns])


def _json(column: Column, value: Any) -> Any:
    if value is not None and column.type is ColumnType.MONEY:
        return format_micros(value)
    return value


def _csv(column: Column, value: Any) -> str:
    if value is None:
        return ""
    match column.type:
        case ColumnType.MONEY:
            return format_micros(value)
        case ColumnType.FLAG:
            return "yes" if value else "no"
        case ColumnType.INSTANT:
            assert isinstance(value, datetime)
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case ColumnType.DAY:
            assert isinstance(value, date)
            return value.isoformat()
        case ColumnType.FACTS:
            return msgspec.json.encode(value).decode()
        case _:
            text = str(value)
            return f"'{text}" if column.type is ColumnType.TEXT and _FORMULA.match(text) else text
