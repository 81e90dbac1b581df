"""The types of the fields of inputs: their limits, and the sentence that a wrong value gets.

A field's `Meta` carries its help and its limits; ways in make their flags, forms and documents from it. An input is a
frozen dataclass; `read_input` makes one from JSON, a form or a command's flags, and is the only way an operation gets
its input.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from hawker.core.money import Money, NotMoney
from hawker.operations.errors import BadInput

Given = TypeVar("Given")

MAX_REASON = 400
_HALF = re.compile("[\ud800-\udfff]")
"""Stands for a byte of a command line that is no UTF-8, or came as half a character in JSON: no text for PostgreSQL."""
MAX_NUMBER = 2**63 - 1
"""What a column of numbers holds: the database cannot be asked for more."""
MAX_SERVICE = 999_999_999_999
"""The largest number that API v2 reads."""

OrderNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_NUMBER, description="The order's number.")]
ServiceNumber: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_SERVICE, description="The service's number.")]
Email: TypeAlias = Annotated[
    str, Meta(max_length=254, description="E-mail address of the customer.", extra={"trim": True})
]
ProviderName: TypeAlias = Annotated[str, Meta(max_length=254, description="The provider.")]
Reason: TypeAlias = Annotated[
    str,
    Meta(min_length=1, max_length=MAX_REASON, description="Why; kept with the change.", extra={"trim": True}),
]


def read_input(kind: type[Given], values: Mapping[str, Any]) -> Given:
    """The input of this type made from field values; those that are None are left out where there is a default.

    Texts are trimmed where their field says so. Raises BadInput, with the field's name and a sentence, for the first
    field that is missing, unknown or breaks a limit.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind, include_extras=True)
    for name in values:
        if name not in fields:
            raise BadInput(name, "there is no such field")
    taken = {}
    for name, field in fields.items():
        value = values.get(name)
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if value is None and has_default:
            continue
        if value is None:
            raise BadInput(name, "is missing")
        meta = meta_of(hints[name])
        if isinstance(value, str):
            if "\0" in value:
                raise BadInput(name, "must not contain a NUL character")
            if _HALF.search(value):
                raise BadInput(name, "must be valid UTF-8")
            if meta is not None and (meta.extra or {}).get("trim"):
                value = value.strip()
        try:
            taken[name] = msgspec.convert(value, type=hints[name], strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(name, _sentence(hints[name], meta, str(error))) from error
        if isinstance(value, str) and type(taken[name]) is int and str(taken[name]) != value:
            # `1e2` and `100.0` would be other names of order 100, and in a selection the same order twice.
            raise BadInput(name, _sentence(hints[name], meta, "expected int"))
    return kind(**taken)


def read_amount(field: str, text: str, *, signed: bool = False) -> int:
    """The micros of an amount such as `12` or `12.34567`, or below 0 where it may be `signed`.

    Raises BadInput for `field`.
    """
    is_negative = signed and text.startswith("-")
    try:
        micros = Money.parse(text.removeprefix("-") if is_negative else text).micros
    except NotMoney as error:
        raise BadInput(field, str(error)) from error
    return -micros if is_negative else micros


def meta_of(hint: Any) -> Meta | None:
    """The Meta of a field's type, also of an optional one or of the items of a list."""
    for part in (hint, *getattr(hint, "__args__", ())):
        for found in getattr(part, "__metadata__", ()):
            if isinstance(found, Meta):
                return found
    return None


def help_of(kind: type[Any], name: str) -> str:
    """The help text of a field."""
    meta = meta_of(get_type_hints(kind, include_extras=True)[name])
    return (meta.description if meta is not None else None) or ""


def _sentence(hint: Any, meta: Meta | None, error: str) -> str:
    """What is wrong with a value, from the limits of its field; else what the parser says, without its path."""
    choices = _choices_of(hint)
    if choices:
        return f"must be {' or '.join(choices)}"
    if meta is not None and (meta.ge is not None or meta.le is not None) and "int" in error:
        low, high = meta.ge, meta.le
        if low is not None and high is not None:
            return f"must be a whole number from {low} to {high}"
        return f"must be a whole number of at least {low}" if low is not None else f"must be at most {high}"
    if meta is not None and meta.max_length is not None and "length" in error:
        unit = "entries" if "array" in error else "characters"
        return f"must have {meta.min_length or 0} to {meta.max_length} {unit}"
    text = re.sub(r" - at `\$.*?`$", "", error).replace("`", "")
    return text[:1].lower() + text[1:]


def _choices_of(hint: Any) -> Sequence[str]:
    """The texts that a field takes, where its type names them; also those of an optional field."""
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return [str(each) for each in get_args(part)]
    return ()


def limits_of(kind: type[Any], name: str) -> tuple[int | None, int | None]:
    """The least and the greatest number that a field takes; None where there is no such limit."""
    meta = meta_of(get_type_hints(kind, include_extras=True)[name])
    return (None, None) if meta is None else (meta.ge, meta.le)  # type: ignore[return-value]
