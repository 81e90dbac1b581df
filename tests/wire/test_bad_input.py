"""Every field of every action × every bad value: the right text, at once, and nothing written."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from urllib.parse import quote_plus

import pytest
from bad_values import EVERY_TEXT, JSON_VALUES, NUL, RAW_BYTES, is_good_link, sent_as_nothing
from seed_document import read_strictly
from world import World, everything_written

from raw_http import Answer, Wire, post
from yardstick import in_time

REQUEST, KEY, SERVICE, ORDER = "Incorrect request", "Invalid API key", "Incorrect service ID", "Incorrect order ID"
QUANTITY, LINK, COMMENTS = "Incorrect quantity", "Incorrect link", "Incorrect comments"
BELOW, TOO_MANY = "Quantity less than minimal 50", "No more than 100 IDs are allowed"

TEN_COMMENTS = "\n".join(map(str, range(10)))
ACTIONS: dict[str, dict[str, str]] = {
    "services": {"action": "services"},
    "balance": {"action": "balance"},
    "status of one": {"action": "status", "order": "1"},
    "status of many": {"action": "status", "orders": "1,2"},
    "refill of one": {"action": "refill", "order": "1"},
    "refill status of one": {"action": "refill_status", "refill": "1"},
    "add Default": {"action": "add", "service": "1", "link": "https://example.com", "quantity": "50"},
    "add Package": {"action": "add", "service": "3", "link": "https://example.com"},
    "add Custom Comments": {
        "action": "add",
        "service": "2",
        "link": "https://example.com",
        "comments": TEN_COMMENTS,
    },
}


def after_nul(expected: Callable[[str], str]) -> Callable[[str], str]:
    """A NUL makes the whole request unreadable, in whatever field it stands."""
    return lambda text: REQUEST if text == NUL else expected(text)


def key_answer(text: str) -> str:
    return KEY


def action_answer(text: str) -> str:
    return REQUEST


def service_answer(text: str) -> str:
    return SERVICE


def order_answer(text: str) -> str:
    return ORDER


def refill_answer(text: str) -> str:
    return "Refill not found"


def link_answer(text: str) -> str:
    return LINK


def quantity_answer(text: str) -> str:
    return BELOW if text.strip(" ") == "0" else QUANTITY


def comments_answer(text: str) -> str:
    """A list that can be read is too short: none of the bad values has ten lines and is readable."""
    lines = [line for line in text.split("\n") if line.strip()]
    controls = any((ord(letter) < 32 and letter not in "\t\r\n") or letter == "\x7f" for letter in text)
    inner_return = any("\r" in line.strip() for line in lines)
    too_long = any(len(line.strip()) > 2_000 for line in lines)
    if not lines or len(lines) > 100_000 or controls or inner_return or too_long or sent_as_nothing(text):
        return COMMENTS
    return "Quantity less than minimal 10"


FIELDS: dict[str, Callable[[str], str]] = {
    "key": key_answer,
    "action": action_answer,
    "service": service_answer,
    "order": order_answer,
    "refill": refill_answer,
    "link": link_answer,
    "quantity": quantity_answer,
    "comments": comments_answer,
}

GOOD = {
    # Values of the list that a field takes for what they say: an order of 12 is no bad input, a link "12" a handle.
    "link": is_good_link,
    "service": lambda text: text.strip(" ") in ("1", "2", "3", "4"),
}


@dataclass(frozen=True)
class Try:
    """One bad request, and the error texts that may answer it."""

    what: str
    request: bytes
    allowed: tuple[str, ...]


def form_with(fields: dict[str, str], field: str, value: bytes) -> bytes:
    kept = "&".join(f"{name}={quote_plus(text)}" for name, text in fields.items() if name != field)
    return post(f"{kept}&{field}=".encode() + value)


def json_with(fields: dict[str, str], field: str, value: str) -> bytes:
    kept = ",".join(f'"{name}":{quoted(text)}' for name, text in fields.items() if name != field)
    return post(f'{{{kept},"{field}":{value}}}'.encode(), content_type="application/json")


@cache
def escaped(value: str | bytes) -> bytes:
    """A value as a form's; kept, because the long ones take their time."""
    return quote_plus(value).encode()


@cache
def quoted(text: str) -> str:
    """A text as a JSON string."""
    return '"' + "".join(f"\\u{ord(c):04x}" if c in '"\\' or ord(c) < 32 else c for c in text) + '"'


def bad_texts(fields: dict[str, str], field: str) -> Iterable[Try]:
    expected = after_nul(FIELDS[field])
    for what, text in EVERY_TEXT.items():
        if GOOD.get(field, lambda _: False)(text) and not sent_as_nothing(text):
            continue
        answer = (expected(text),)
        yield Try(f"{what}, escaped", form_with(fields, field, escaped(text)), answer)
        if not set(text) & set("&+%"):
            yield Try(f"{what}, as it is", form_with(fields, field, text.encode()), answer)
        yield Try(f"{what}, in JSON", json_with(fields, field, quoted(text)), answer)


def unreadable_values(fields: dict[str, str], field: str) -> Iterable[Try]:
    for what, value in RAW_BYTES.items():
        yield Try(f"{what}, escaped", form_with(fields, field, escaped(value)), (REQUEST,))
        yield Try(f"{what}, as it is", form_with(fields, field, value), (REQUEST,))
    for what, text in JSON_VALUES.items():
        yield Try(f"{what}, in JSON", json_with(fields, field, text), (REQUEST,))


def ask(wire: Wire, attempt: Try) -> Answer:
    """The answer, which must come at once, be well-formed, and be no fault of ours."""
    started = perf_counter()
    answer = wire.ask(attempt.request)
    assert in_time(perf_counter() - started, 2), attempt.what
    assert answer.status < 500, f"{attempt.what}: HTTP {answer.status} {answer.body[:200]!r}"
    assert answer.headers["content-type"] == "application/json"
    return answer


def refuse_all(world: World, tries: Iterable[Try]) -> None:
    """Every try is refused with an allowed text, and leaves the panel as it was."""
    before = everything_written()
    tried = 0
    with Wire(world.server.url) as wire:
        for attempt in tries:
            answer = ask(wire, attempt)
            value = read_strictly(answer.body)
            assert list(value) == ["error"], f"{attempt.what}: {answer.body[:200]!r}"
            assert value["error"] in attempt.allowed, f"{attempt.what}: {value['error']} instead of {attempt.allowed}"
            assert everything_written() == before, attempt.what
            tried += 1
    assert tried


EVERY_FIELD = [(action, field) for action, fields in ACTIONS.items() for field in ("key", *fields) if field in FIELDS]


def keyed(world: World, action: str) -> dict[str, str]:
    """A request that would be carried out, but for the field that a test spoils."""
    return {"key": world.names["key"], **ACTIONS[action]}


@pytest.mark.parametrize(("action", "field"), EVERY_FIELD)
def test_a_bad_value_is_refused_with_the_text_of_its_field(world: World, action: str, field: str) -> None:
    refuse_all(world, bad_texts(keyed(world, action), field))


@pytest.mark.parametrize(("action", "field"), [*EVERY_FIELD, ("status of many", "orders")])
def test_a_value_that_cannot_be_read_makes_the_request_incorrect(world: World, action: str, field: str) -> None:
    refuse_all(world, unreadable_values(keyed(world, action), field))


def test_bad_ids_among_many_are_each_answered_as_unknown(world: World) -> None:
    before = everything_written()
    fields = keyed(world, "status of many")
    with Wire(world.server.url) as wire:
        for what, text in EVERY_TEXT.items():
            attempt = Try(what, form_with(fields, "orders", escaped(f"{text},10")), ())
            value = read_strictly(ask(wire, attempt).body)
            if text == NUL:
                assert value == {"error": REQUEST}
            else:
                assert "10" in value, what
                assert set(map(str, value.values())) == {str({"error": ORDER})}, what
    assert everything_written() == before


@pytest.mark.parametrize("listed", ["1," * 101, ",".join(map(str, range(101))), "," * 1_000, "1,2," * 200_000])
def test_more_ids_than_are_allowed_are_refused_or_counted_once(world: World, listed: str) -> None:
    fields = keyed(world, "status of many")
    with Wire(world.server.url) as wire:
        value = read_strictly(ask(wire, Try("many ids", form_with(fields, "orders", listed.encode()), ())).body)
    assert value in ({"error": TOO_MANY}, {"1": {"error": ORDER}})


@pytest.mark.parametrize("action", ACTIONS)
def test_a_field_sent_twice_with_two_values_is_refused(world: World, action: str) -> None:
    fields = keyed(world, action)
    twice = (
        Try(f"{field} twice", form_with(fields, "", b"&" + f"{field}={quote_plus(text)}x".encode()), (REQUEST,))
        for field, text in fields.items()
    )
    refuse_all(world, twice)


@pytest.mark.parametrize("action", [action for action in ACTIONS if action.startswith("add")])
def test_a_field_that_is_missing_is_refused_by_its_own_text(world: World, action: str) -> None:
    fields = keyed(world, action)
    missing = (
        Try(f"no {field}", form_with(fields, field, b""), (FIELDS[field](""),)) for field in fields if field in FIELDS
    )
    refuse_all(world, missing)


def as_header(text: str) -> str:
    """The UTF-8 bytes of a text as a header's value."""
    return text.encode().decode("latin-1")


SENDABLE = [text for text in EVERY_TEXT.values() if len(text) < 10_000 and not set(text) & set("\r\n\0")]


@pytest.mark.parametrize("text", SENDABLE, ids=lambda text: ascii(text[:20]))
def test_a_bearer_of_any_text_is_no_key(world: World, text: str) -> None:
    request = post(b"action=balance", headers=[f"Authorization: Bearer {as_header(text)}"])
    with Wire(world.server.url) as wire:
        answer = wire.ask(request)
    assert answer.status in (200, 400)
    assert answer.body in (b'{"error":"Invalid API key"}', b"Invalid HTTP request received.")
