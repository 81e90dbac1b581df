"""Keys: how they are made and how they are recognised. Pure."""

import hashlib
import hmac
import re
import secrets

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")
_PEPPER_CONTEXT = b"hawker api key\x00"
_CHECK_CONTEXT = b"hawker secret check"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

MAX_LIVE_KEYS = 100
"""Of one person: enough for any number of programs, and a bound for whoever asks in a loop."""

MAX_ADDRESSES = 100
"""Of one key."""


def new_key() -> str:
    """A fresh API key: 32 random bytes in hexadecimal."""
    return secrets.token_hex(32)


def digest_of(key: str, secret: str) -> bytes:
    """What is stored of a key: its HMAC-SHA-256 under the panel's secret.

    A copied database without that secret cannot be used to try keys. Any text is a possible key:
    keys imported from other panels have every shape.
    """
    pepper = hashlib.sha256(_PEPPER_CONTEXT + secret.encode()).digest()
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def check_of(secret: str) -> bytes:
    """By what a secret of the panel is recognised later; of 32 random bytes it gives nothing away."""
    return hmac.digest(_CHECK_CONTEXT, secret.encode("utf-8", "surrogatepass"), "sha256")[:16]


def why_not_a_key(key: str) -> str:
    """Why this cannot be somebody's key, as a sentence; empty where it can.

    Keys brought from other panels have every shape, so only what could never be sent, or could be
    guessed within the limit on wrong keys, is refused.
    """
    if key != key.strip() or _CONTROL.search(key):
        return "a key must not begin or end with a space, or hold control characters"
    if key in ("undefined", "null"):
        return "the keys undefined and null are not possible: they count as not sent"
    if not 8 <= len(key) <= 512:
        return "a key has 8 to 512 characters"
    return ""


def hint_of(key: str) -> str:
    """The end of a key, enough to tell one's keys apart; of a short one less, for it would give too much away."""
    return key[-min(4, len(key) // 4) :]


def read_email(text: str) -> str | None:
    """The address in the form it is stored in, or None where it cannot be one."""
    text = text.strip().lower()
    return text if len(text) <= 254 and _EMAIL.fullmatch(text) else None
