"""Parameters as data: what each is, and how its text is read. One reader per kind."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from hawker.core.errors import Refusal
from hawker.protocol.errors import (
    IncorrectLink,
    IncorrectOrder,
    IncorrectParameter,
    IncorrectQuantity,
    IncorrectService,
    RefillNotFound,
    TooManyIds,
)

MAX_IDS = 100
LISTED, MAX_LISTED = 100, 1_000
"""How many orders `action=orders` lists without a `limit`, and at most."""

MAX_LINES = 100_000
MAX_LINK = 2_048
MAX_LINE = 2_000
MAX_TEXT = 500

Value: TypeAlias = str | int | date | tuple[str, ...]

MAX_DIGITS = 12
_WHOLE = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}", re.ASCII)
_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", re.ASCII)
# Beside what breaks pages and requests: marks that turn or hide what stands beside them, so that the link
# a person reads is the link that is ordered. The joiners U+200C and U+200D stay: names are spelled with them.
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0<>\"\\^`{|}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_URL = re.compile(r"https?://[^/?#@:]+(:[0-9]{1,5})?([/?#].*)?", re.IGNORECASE)
_BARE_URL = re.compile(r"[\w\-]+(\.[\w\-]+)+(:[0-9]{1,5})?([/?#].*)?")
_HANDLE = re.compile(r"[@#]?(?=[.\-]*\w)[\w.\-]{1,255}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class ParamKind(StrEnum):
    """How a parameter's text is read, and into what."""

    SERVICE = "service"  # int
    LINK = "link"  # str
    QUANTITY = "quantity"  # int, with the error text that clients know
    COUNT = "count"  # int between `minimum` and `maximum`
    CHOICE = "choice"  # int out of `choices`
    TEXT = "text"  # str of one line
    NAME = "name"  # str of visible characters and blanks, nothing that hides
    LINES = "lines"  # tuple of the lines that are not blank
    DATE = "date"  # date, written d/m/Y
    ID = "id"  # int, the number of an order or a refill
    IDS = "ids"  # tuple of the ids as they were asked


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of one action or service type; the single source for parsing, forms and documents."""

    name: str
    kind: ParamKind
    doc: str
    required: bool = True
    minimum: int = 0
    maximum: int = 999_999_999_999
    choices: tuple[int, ...] = ()
    max_length: int = MAX_TEXT

    def refusal(self) -> Refusal:
        """The refusal of a value that is missing or breaks the rule."""
        if self.kind is ParamKind.SERVICE:
            return IncorrectService()
        if self.kind is ParamKind.LINK and self.name == "link":
            return IncorrectLink()
        if self.kind is ParamKind.QUANTITY:
            return IncorrectQuantity()
        if self.kind in (ParamKind.ID, ParamKind.IDS):
            return RefillNotFound() if self.name.startswith("refill") else IncorrectOrder()
        return IncorrectParameter(name=self.name)

    def read(self, text: str) -> Value:
        """The value of `text`. Raises this parameter's refusal; never a ValueError, whatever the text."""
        value = _read(self, text)
        if value is None:
            raise self.refusal()
        return value


def _read(param: Param, text: str) -> Value | None:
    match param.kind:
        case ParamKind.LINK:
            return read_link(text)
        case ParamKind.TEXT:
            return _read_text(text, param.max_length)
        case ParamKind.NAME:
            name = text.strip()
            return name if 0 < len(name) <= param.max_length and name.isprintable() else None
        case ParamKind.LINES:
            return _read_lines(text, param.max_length)
        case ParamKind.DATE:
            return read_date(text)
        case ParamKind.IDS:
            return tuple(read_ids(text)) or None
        case ParamKind.CHOICE:
            number = read_whole(text)
            return number if number in param.choices else None
        case _:
            number = read_whole(text)
            return number if number is not None and param.minimum <= number <= param.maximum else None


def read_whole(text: str) -> int | None:
    """A whole number of up to twelve ASCII digits, blanks around it forgiven; None for anything else."""
    if (
        len(text) <= MAX_DIGITS and text.isdigit() and text.isascii()
    ):  # nearly all are, and it costs half of what follows
        return int(text)
    text = text.strip(" ")
    return int(text) if _WHOLE.fullmatch(text) else None


def read_link(text: str) -> str | None:
    """An http(s) address, an address without a scheme, or a handle such as `@name`.

    Anything with another scheme (javascript:, data:, file:) or with user names in the host is refused,
    as are blanks, control characters and quotes: the link is shown on pages and sent to other panels.
    """
    text = text.strip(" \r\n\t")
    if not text or len(text) > MAX_LINK or _UNSAFE.search(text):
        return None
    return text if is_address(text) or is_handle(text) else None


def is_address(link: str) -> bool:
    """Whether a link is an http(s) address, with its scheme or without; `john.doe` may be one."""
    return (_URL.fullmatch(link) or _BARE_URL.fullmatch(link)) is not None


def is_handle(link: str) -> bool:
    """Whether a link may be a handle; `example.com` may be one too."""
    return _HANDLE.fullmatch(link) is not None


def read_date(text: str) -> date | None:
    """A calendar date written d/m/Y; None for 31/02/2027."""
    match = _DATE.fullmatch(text.strip(" "))
    if match is None:
        return None
    day, month, year = map(int, match.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def write_date(value: date) -> str:
    """A date as the protocol writes it: d/m/Y."""
    return f"{value.day:02d}/{value.month:02d}/{value.year:04d}"


def _read_text(text: str, max_length: int) -> str | None:
    text = text.strip()
    if not text or len(text) > max_length or _CONTROL.search(text) or "\n" in text or "\r" in text:
        return None
    return text


def _read_lines(text: str, max_length: int) -> tuple[str, ...] | None:
    if _CONTROL.search(text):
        return None
    # split("\n") and not splitlines(): the latter also splits at U+2028 and others that belong to a comment.
    lines = tuple(stripped for line in text.split("\n") if (stripped := line.strip()))
    if not lines or len(lines) > MAX_LINES or max(map(len, lines)) > max_length:
        return None
    if any("\r" in line for line in lines):
        # One line here, two to some panels: they would charge for a comment that was not paid for.
        return None
    return lines


def read_ids(text: str) -> list[str]:
    """The ids of a list parameter as they were asked, in order, each once. Raises TooManyIds past 100.

    An id that is no number stays in the list: it is answered as one that does not exist.
    """
    pieces = text.split(",", MAX_IDS * 4)
    ids = list(dict.fromkeys(stripped for piece in pieces if (stripped := piece.strip())))
    if len(ids) > MAX_IDS or len(pieces) > MAX_IDS * 4:
        raise TooManyIds
    return ids


REQUEST_ID = Param(
    "request_id",
    ParamKind.NAME,
    "Your own id for this order; a repeated request with it returns the same order",
    required=False,
    max_length=128,
)
LIMIT = Param("limit", ParamKind.COUNT, "How many orders to list", required=False, minimum=1, maximum=MAX_LISTED)
BEFORE = Param("before", ParamKind.COUNT, "List orders with a lower number than this", required=False, minimum=1)
