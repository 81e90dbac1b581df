"""Lists on their way to PostgreSQL as arrays, written in one stroke.

Set SQL takes its rows as arrays, twenty-five values an order. The driver's own dumper asks each value which type it
is and whether it needs quotes: measured, half of the Python that placing an order costs. Our lists are flat and of one
kind, which one look tells.
"""

from typing import Any

import psycopg
from psycopg.abc import Buffer, DumperKey
from psycopg.adapt import PyFormat
from psycopg.types.array import BaseListDumper, ListDumper

_NONE = type(None)
_INTS = frozenset({int, _NONE})
_TEXTS = frozenset({str, _NONE})


class FlatListDumper(ListDumper):
    """Writes lists of int or of str, each with None or without, as array literals of unknown type.

    The statement says what the array is (`%s::bigint[]`). Every other list is the driver's business.
    """

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:  # noqa: A002 - the driver's word
        return self.cls if _is_flat(obj) else super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:  # noqa: A002 - the same
        return self if _is_flat(obj) else super().upgrade(obj, format)

    def dump(self, obj: list[Any]) -> Buffer | None:
        if self.sub_dumper is not None:
            return super().dump(obj)
        kinds = set(map(type, obj))
        if str in kinds:
            values = [_quoted(value) for value in obj] if _NONE in kinds else map(_quoted_text, obj)
        else:
            values = ["NULL" if value is None else str(value) for value in obj] if _NONE in kinds else map(str, obj)
        literal = f"{{{','.join(values)}}}".encode()
        if b"\0" in literal:
            # The text of a parameter ends at its first NUL, and so would the array.
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return literal


def _is_flat(values: list[Any]) -> bool:
    kinds = set(map(type, values))
    return kinds <= _INTS or kinds <= _TEXTS


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else _quoted_text(value)


def _quoted_text(value: str) -> str:
    """Quoted always: of what needs no quotes, the empty text and the word NULL would be misread."""
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
