"""Positions in a list: opaque to whoever carries them, signed, and stable while rows are added."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from hawker.core.settings import settings
from hawker.lists.declaration import KeyType, ListDeclaration, Sort
from hawker.lists.errors import BadCursor

_CONTEXT = b"hawker list cursor\x00"
_SIGNATURE_BYTES = 12


def write_cursor(declaration: ListDeclaration, sort: Sort, *, descending: bool, keys: Sequence[Any]) -> str:
    """The position right behind the row with these sort keys."""
    texts = [key.isoformat() if isinstance(key, datetime) else key for key in keys]
    body = msgspec.json.encode([declaration.name, sort.name, descending, *texts])
    return base64.urlsafe_b64encode(_sign(body) + body).decode().rstrip("=")


def read_cursor(text: str, declaration: ListDeclaration) -> tuple[str, bool, tuple[Any, ...]]:
    """The name of the sort, whether it goes down, and the keys of a position. Raises BadCursor."""
    wrong = BadCursor(f"{text[:80]!r} is no position in the list of {declaration.name}: take it from the page before")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise wrong from error
    signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(body)):
        raise wrong
    name, sort_name, descending, *keys = msgspec.json.decode(body)
    sort = declaration.sort(sort_name)
    if name != declaration.name or sort is None or len(keys) != len(sort.keys):
        raise wrong
    values = [_value(key, kind) for key, (_, kind) in zip(keys, sort.keys, strict=True)]
    return sort_name, descending, tuple(values)


def _value(key: Any, kind: KeyType) -> Any:
    return datetime.fromisoformat(key) if kind is KeyType.INSTANT else key


def _sign(body: bytes) -> bytes:
    # No access is granted by a position; the signature keeps hand-made keys out of the statements.
    secret = settings().require_secret().encode("utf-8", "surrogatepass")
    return hmac.digest(_CONTEXT + secret, body, "sha256")[:_SIGNATURE_BYTES]
