"""Keys: how they are made and how they are recognised. Pure."""

import hashlib
import hmac
import re
import secrets

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")
_PEPPER_CONTEXT = b"hawker api key\x00"


def new_key() -> str:
    """A fresh API key: 32 random bytes in hexadecimal (reliability.md, Keys)."""
    return secrets.token_hex(32)


def digest_of(key: str, secret: str) -> bytes:
    """What is stored of a key: its HMAC-SHA-256 under the panel's secret.

    A copied database without that secret cannot be used to try keys. Any text is a possible key:
    keys imported from other panels have every shape.
    """
    pepper = hashlib.sha256(_PEPPER_CONTEXT + secret.encode()).digest()
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def hint_of(key: str) -> str:
    """The end of a key, enough to tell one's keys apart."""
    return key[-4:]


def read_email(text: str) -> str | None:
    """The address in the form it is stored in, or None where it cannot be one."""
    text = text.strip().lower()
    return text if len(text) <= 254 and _EMAIL.fullmatch(text) else None
