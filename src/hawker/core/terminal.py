"""Texts of others on a person's screen: what would move the cursor or turn the writing around is shown, not obeyed."""

import re

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters but for tab and line feed, and those that set the direction of writing or end a line."""

_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Those of them that JSON leaves as they are."""


def shown(text: str) -> str:
    """A sentence with such characters written out as `\\x1b` and `\\u202e`."""
    return _OBEYED.sub(_escape, text)


def one_line(text: str) -> str:
    """A text that takes one line, whatever is in it."""
    return shown(text).replace("\n", "\\n")


def shown_json(document: str) -> str:
    """A JSON document that says the same with such characters escaped."""
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
