"""What a service takes as a link, and which links the operator forbids. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import unquote

from hawker.protocol.params import is_address, is_handle

MAX_PATTERN = 200

_HOST = re.compile(r"[\w\-]+(\.[\w\-]+)+")
_PARTS = re.compile(r"(?:https?://)?([^/?#:]*)(:[0-9]*)?([^?#]*)(?:\?([^#]*))?(#.*)?", re.IGNORECASE | re.DOTALL)
_TRACKING = re.compile(r"(utm_\w+|fbclid|gclid|igsh|igshid)(=|$)", re.IGNORECASE)
_USUAL_PORTS = ("", ":", ":80", ":443")
_HOST_OF_LINK = re.compile(r"(?:https?://)?([^/?#:]*)", re.IGNORECASE)


class LinkKind(StrEnum):
    """What a service takes as a link. A bare word with a dot (`example.com`, `john.doe`) may be either."""

    ANY = "any"
    URL = "url"  # an http(s) address, with or without its scheme
    HANDLE = "handle"  # such as @name, name or #tag

    def takes(self, link: str) -> bool:
        """Whether a link that could be read (protocol/params.py) is of this kind."""
        match self:
            case LinkKind.URL:
                return is_address(link)
            case LinkKind.HANDLE:
                return is_handle(link)
            case _:
                return True


@dataclass(frozen=True, slots=True)
class ForbiddenLinks:
    """Patterns made ready to be looked for. No regular expressions: a pattern cannot blow up.

    A pattern that is a host name (`example.com`) forbids that host and every host under it. Any other is a text to
    be found anywhere in the link, without regard to case, where `*` stands for anything in between.
    """

    hosts: frozenset[str] = frozenset()
    texts: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Self:
        """Patterns as `read_pattern` answers them."""
        hosts, texts = set(), []
        for pattern in patterns:
            if _HOST.fullmatch(pattern):
                hosts.add(host_of(pattern))
            else:
                texts.append(tuple(piece for piece in pattern.split("*") if piece))
        return cls(frozenset(hosts), tuple(texts))

    def __or__(self, other: Self) -> "ForbiddenLinks":
        return ForbiddenLinks(self.hosts | other.hosts, self.texts + other.texts)

    def __bool__(self) -> bool:
        return bool(self.hosts or self.texts)

    def match(self, link: str) -> bool:
        """Whether any pattern forbids the link, also where it is written in percent signs or look-alike letters."""
        if self.hosts:
            labels = host_of(link).split(".")
            if any(".".join(labels[place:]) in self.hosts for place in range(len(labels))):
                return True
        if not self.texts:
            return False
        plain, decoded = _folded(link), _folded(unquote(link))
        return any(_holds(plain, pieces) or _holds(decoded, pieces) for pieces in self.texts)


def read_pattern(text: str) -> str | None:
    """The pattern in the form in which it is kept, or None where it would forbid everything or cannot be one."""
    pattern = _folded(text.strip())
    if _HOST.fullmatch(pattern.removeprefix("*.")):
        pattern = host_of(pattern.removeprefix("*."))
    if not pattern.strip("*") or len(pattern) > MAX_PATTERN or not pattern.isprintable() or " " in pattern:
        return None
    return pattern


def host_of(link: str) -> str:
    """The host of an address in lower case ASCII, or what stands in its place (the name of a handle)."""
    found = _HOST_OF_LINK.match(link)
    # Browsers read percent signs in a host too, and take full stops of other scripts for dots, also at its end.
    host = unquote(found.group(1) if found else "").removeprefix("@")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            host = _folded(host)
    return host.removesuffix(".").lower()


def comparable_link(link: str) -> str:
    """What two links have in common that lead to the same place, as far as that can be told from their text.

    Of an address: without scheme, `www.`, the usual ports, a slash at the end and what share buttons add; the host in
    lower case, percent signs read. Of a handle, or a user name: without `@`, in lower case. Upper and lower case in a
    path stay different, and so do a handle and the address of its page: networks differ in what is the same there.
    """
    if is_handle(link) and ("." not in link or link.startswith(("@", "#"))):
        return _folded(link.removeprefix("@"))
    parts = _PARTS.fullmatch(link)
    assert parts is not None, "every part may be empty"
    _, port, path, query, fragment = (part or "" for part in parts.groups())
    host = host_of(link).removeprefix("www.")
    kept = "&".join(piece for piece in query.split("&") if piece and not _TRACKING.match(piece))
    return "".join(
        [
            host,
            "" if port in _USUAL_PORTS else port,
            unquote(path).rstrip("/"),
            f"?{unquote(kept)}" if kept else "",
            fragment if len(fragment) > 1 else "",
        ]
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _holds(text: str, pieces: tuple[str, ...]) -> bool:
    """Whether the pieces stand in the text one after the other; the leftmost places are as good as any."""
    place = 0
    for piece in pieces:
        place = text.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True
