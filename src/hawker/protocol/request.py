"""One request as it comes over the wire, read into plain parameters.

Form, multipart, JSON or query string: published clients send all four.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote_to_bytes

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from hawker.protocol.errors import IncorrectRequest

MAX_FIELDS = 100
_ABSENT = ("", "undefined", "null")
"""One SDK sends `runs=undefined&interval=undefined` with every order: such values count as not sent."""

_UNESCAPED_LINK = re.compile(rb"(?:^|&)link=(?=[a-z]+://)", re.IGNORECASE)
_LISTED_BY_COMMA = frozenset({"orders", "refills"})


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the action, the key, and every other parameter as text by name. Not to be changed: the same
    words read again may be answered with the same object."""

    action: str
    key: str
    fields: Mapping[str, str]
    reads_only: bool
    """Whether the transport may only read (GET): such a request must not place orders unless allowed."""
    accept_encoding: str = ""
    if_none_match: str = ""
    """Two headers, as they came: how the answer may be packed, and what the client has of it already."""


def read_request(
    *,
    method: str,
    content_type: str,
    query: bytes,
    body: bytes,
    authorization: str = "",
    idempotency: str = "",
    accept_encoding: str = "",
    if_none_match: str = "",
) -> Request:
    """Read one request. Raises IncorrectRequest where it cannot be read with certainty.

    A scalar sent twice with different values is refused, wherever the two came from (parameter
    pollution); sent twice alike it counts once. `Authorization: Bearer` stands in for `key`,
    `Idempotency-Key` for `request_id`.
    """
    if method not in ("POST", "GET"):
        raise IncorrectRequest
    pairs = list(_read_query(query) if method == "GET" else _read_form(query)) if query else []
    if body and method == "POST":
        pairs.extend(_read_body(content_type, body))
    if len(pairs) > MAX_FIELDS:
        raise IncorrectRequest
    fields = _merge(pairs)
    key = fields.pop("key", "") or _bearer(authorization)
    if idempotency not in _ABSENT and "request_id" not in fields:
        fields["request_id"] = idempotency
    action = fields.pop("action", "")
    return Request(action, key, fields, method == "GET", accept_encoding, if_none_match)


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _merge(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        if value in _ABSENT:
            continue
        if "\0" in value or fields.setdefault(name, value) != value:
            raise IncorrectRequest
    return fields


def _read_query(query: bytes) -> Iterator[tuple[str, str]]:
    """Pairs of the query string of a GET. A link that was not escaped is the last parameter: it reaches to
    the end, whatever its own query holds.
    """
    unescaped = _UNESCAPED_LINK.search(query)
    if unescaped is None:
        yield from _read_form(query)
        return
    yield from _read_form(query[: unescaped.start()])
    try:
        yield "link", query[unescaped.end() :].decode()
    except UnicodeDecodeError as error:
        raise IncorrectRequest from error


def _read_body(content_type: str, body: bytes) -> Iterable[tuple[str, str]]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _read_multipart(content_type, body)
    if kind.endswith("json") or (kind != "application/x-www-form-urlencoded" and body[:1] == b"{"):
        return _read_json(body)
    return _read_form(body)


def _read_form(data: bytes) -> Iterator[tuple[str, str]]:
    """Pairs of a form body or query string; the hottest reader, so it decodes only what is encoded."""
    if data.count(b"&") > MAX_FIELDS:
        raise IncorrectRequest
    try:
        for piece in data.split(b"&"):
            name, _, value = piece.partition(b"=")
            if b"+" in value:
                value = value.replace(b"+", b" ")
            if b"%" in value:
                # Lists of a hundred numbers come with their commas encoded.
                value = unquote_to_bytes(value.replace(b"%2C", b","))
            if b"%" in name or b"+" in name:
                name = unquote_to_bytes(name.replace(b"+", b" "))
            yield name.decode(), value.decode()
    except UnicodeDecodeError as error:
        raise IncorrectRequest from error


def _read_multipart(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise IncorrectRequest
    try:
        parser = MultipartParser(
            BytesIO(body),
            boundary,
            content_length=len(body),
            part_limit=MAX_FIELDS,
            memory_limit=len(body) + 1,
            # The body is in memory already: no part of it is put into a temporary file.
            spool_limit=len(body) + 1,
            strict=True,
        )
        for part in parser.parts():
            yield part.name, part.raw.decode("utf-8")
    except (MultipartError, UnicodeError, LookupError) as error:
        raise IncorrectRequest from error


def _read_json(body: bytes) -> Iterator[tuple[str, str]]:
    try:
        msgspec.json.decode(body)  # stricter than the standard library: no NaN, no lone surrogates, no huge numbers
        # Read again as pairs, because a dict hides a member that was sent twice.
        members = json.loads(body, object_pairs_hook=tuple)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise IncorrectRequest from error
    if not isinstance(members, tuple):
        raise IncorrectRequest
    for name, value in members:
        # A list of ids or of comments is a client's habit; anything else nested is refused.
        if isinstance(value, list):
            separator = "," if name in _LISTED_BY_COMMA else "\n"
            yield name, separator.join(_scalar(item) for item in value)
        elif value is not None:
            yield name, _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        # No parameter is a boolean, and `"quantity":true` is no order of one.
        raise IncorrectRequest
    if isinstance(value, int | float):
        # A float is kept as written closely enough to be refused: 100.5 is no quantity.
        return str(value) if isinstance(value, int) or not value.is_integer() else str(int(value))
    if not isinstance(value, str):
        raise IncorrectRequest
    return value
