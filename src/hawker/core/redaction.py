"""Taking secrets out of texts: by what they are, by the name they stand under, by how they look. Pure but for `know`.

Three nets, because each has holes: a secret that this process knows is found wherever it is; one that it does not know
(a customer's key in somebody's exception) by the word before it; and a key of our own making by its look alone.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

GONE = "[redacted]"
SHORTEST = 6
"""A shorter text is no secret that one could search for: it would be found in words."""

_LONGEST = 65_536
"""Of a longer text the rest is left out: it is nothing for a log, and looking through it takes time."""

_MOST_KNOWN = 10_000
_DEEPEST = 12

_WORDS = r"(?:key|token|secret|password|passwd|pwd|authorization|cookie|pepper|credentials?|dsn|database_url)"
_SECRET_NAME = re.compile(rf"(?:.*[_\W])?{_WORDS}", re.IGNORECASE)

_QUOTED = re.compile(
    rf"""((["'])[\w-]{{0,64}}{_WORDS}\2\s*(?::|=>?|,)\s*b?)(["'])((?:\\.|(?!\3).)+)(?:\3|\Z)""",
    re.IGNORECASE | re.DOTALL,
)
"""`"key": "…"` as JSON and Python write it, also where the text was cut before its end."""

_PART = re.compile(
    rf"""(name="?[\w-]{{0,64}}{_WORDS}"?[^\r\n]{{0,200}}\r?\n(?:[^\r\n]{{1,200}}\r?\n){{0,8}}\r?\n)([^\r\n]+)""",
    re.IGNORECASE,
)
"""A part of a multipart form."""

_AFTER_NAME = re.compile(
    rf"""({_WORDS}(?:\\*["']|%22|&quot;)*\s?(?:=>?|:|%3[AD])\s*(?:b?\\*["']|%22|&quot;|[(\[])*"""
    rf"""|\b{_WORDS}\W{{1,4}}(?=[^\s&"',}}]{{8}}))(?!\[?redacted\])([^\s&;"'<>,}})\]\\]{{4,}})""",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(\b(?:Bearer|Basic)\s+|\b(?:Bearer|Basic)%20)([^\s&\"',}]{4,})", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(://[^\s/:@]*:)([^\s/@]+)(?=@)")
_LOOKS_LIKE_ONE = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*?[0-9])(?=[A-Za-z0-9_-]*?[A-Za-z])[A-Za-z0-9_-]{32,}(?![A-Za-z0-9_-])"
)
"""Thirty-two letters and digits in a row and more: keys, tokens, digests. No word of ours has a digit in it."""

_known: dict[str, None] = {}


def know(secret: str) -> None:
    """Remember a secret of this panel, so that no log line of this process shows it."""
    if len(secret) >= SHORTEST and len(_known) < _MOST_KNOWN:
        _known[secret] = None


@lru_cache(maxsize=1024)
def forms_of(secret: str) -> tuple[str, ...]:
    """How an honest program may write this text, the longest form first: plain, and escaped in the usual ways."""
    if len(secret) < SHORTEST:
        return ()
    quoted = json.dumps(secret)[1:-1]
    escaped = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms = {
        secret,
        quoted,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quoted.replace("/", "\\/"),
        html.escape(secret),
        html.escape(secret, quote=False),
        base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("="),
        *escaped,
        *(form.replace("%", "%25") for form in escaped),
        *(re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in escaped),
    }
    return tuple(sorted(forms, key=len, reverse=True))


def without(text: str, secrets: Iterable[str]) -> str:
    """The text without these secrets, in any of their forms. One shorter than SHORTEST is not looked for."""
    for secret in secrets:
        for form in forms_of(secret):
            if form in text:
                text = text.replace(form, GONE)
    return text


def redacted(text: str, hidden: Iterable[str] = ()) -> str:
    """The text without what is, or may be, a secret; `hidden` are those that only the caller knows."""
    text = without(without(text, hidden), _known)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}… ({len(text) - _LONGEST} characters more)"
    text = _QUOTED.sub(rf"\1\3{GONE}\3", text)
    text = _PART.sub(rf"\1{GONE}", text)
    text = _SCHEME.sub(rf"\1{GONE}", text)
    text = _AFTER_NAME.sub(rf"\1{GONE}", text)
    text = _IN_ADDRESS.sub(rf"\1{GONE}", text)
    return _LOOKS_LIKE_ONE.sub(GONE, text)


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is not for logs, whatever it is."""
    return _SECRET_NAME.fullmatch(name) is not None


def redacted_value(value: Any, hidden: Iterable[str] = (), *, depth: int = 0) -> Any:
    """Any value as a log may show it: containers walked, bytes and objects as the text they would be written as."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redacted(value, hidden)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                redacted(str(name), hidden): GONE
                if is_secret_name(str(name))
                else redacted_value(item, hidden, depth=depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [redacted_value(item, hidden, depth=depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return redacted(bytes(value).decode("utf-8", "backslashreplace"), hidden)
    return redacted(repr(value), hidden)
