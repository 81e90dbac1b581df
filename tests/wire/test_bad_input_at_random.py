"""Several bad values in one request, by every way to send one: an answer at once, no fault of ours, nothing written.

The tests beside this one try every value alone and know its text; here they meet, and what is asked is that nothing
else ever comes of it.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from time import perf_counter
from urllib.parse import quote_plus

import pytest
from bad_values import EVERY_TEXT, JSON_VALUES, RAW_BYTES
from seed_document import read_strictly
from test_bad_input import quoted
from world import everything_written

from hawker.protocol.actions import ACTIONS, example_order
from hawker.protocol.service_types import TYPES, QuantityRule
from panel import Panel, forget_rows
from processes import ServeProcess
from raw_http import Answer, Wire, post
from soaking import counting, rounds
from yardstick import in_time

CASES = 60
"""In a round; the tables are looked at after each."""
ROUNDS = 10

CHARGED = [kind for kind in TYPES if kind.quantity is not QuantityRule.PER_POST]
"""What somebody without money cannot order, however good the request."""

SHORT = [text for text in EVERY_TEXT.values() if len(text) <= 2_000]
LONG = [text for text in EVERY_TEXT.values() if len(text) > 2_000]


@pytest.fixture
def key(patient_server: ServeProcess) -> Iterator[str]:
    """Of a customer without money, at a panel that sells what is charged when it is ordered."""
    forget_rows()
    panel = Panel()
    for number, kind in enumerate(TYPES, start=1):
        if kind in CHARGED:
            panel.service(id=number, type=kind.name, minimum=1, dripfeed=kind.drip_feed)
    yield panel.customer(credit="0").api_key
    panel.assert_verified()


def spoiled(chance: random.Random, key: str) -> dict[str, str | bytes | None]:
    """A request of which some fields are bad; None for a value that only JSON can carry."""
    action = chance.choice(ACTIONS)
    good = example_order(chance.choice(CHARGED)) if action.name == "add" else action.example
    fields: dict[str, str | bytes | None] = {"key": key, "action": action.name, **good}
    names = [*fields, *fields, "request_id", "unheard_of", ""]
    for name in chance.sample(names, chance.randint(1, 4)):
        match chance.choices(["short", "long", "bytes", "json"], weights=[80, 2, 8, 10])[0]:
            case "short":
                fields[name] = chance.choice(SHORT)
            case "long":
                fields[name] = chance.choice(LONG)
            case "bytes":
                fields[name] = chance.choice(list(RAW_BYTES.values()))
            case "json":
                fields[name] = None
    return fields


def written(chance: random.Random, fields: dict[str, str | bytes | None]) -> bytes:
    """The request as a form, as JSON or in the address, by chance."""
    way = chance.choice(["form", "form as it is", "JSON", "address"])
    if way == "JSON":
        values = {name: quoted(value) for name, value in fields.items() if isinstance(value, str)}
        values |= {name: chance.choice(list(JSON_VALUES.values())) for name, value in fields.items() if value is None}
        pairs = ",".join(f"{quoted(name)}:{value}" for name, value in values.items())
        return post(f"{{{pairs}}}".encode(), content_type="application/json")
    named = {name: value for name, value in fields.items() if value is not None}
    if way == "address":
        query = "&".join(
            f"{quote_plus(name)}={quote_plus(value)}" for name, value in named.items() if len(value) <= 500
        )
        return post(target=f"/api/v2?{query}")
    if way == "form as it is":
        return post(b"&".join(name.encode() + b"=" + _bytes(value) for name, value in named.items()))
    return post(escaped(named).encode())


def escaped(fields: Mapping[str, str | bytes]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items())


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


@pytest.mark.timeout(0)
def test_no_mixture_of_bad_values_is_answered_with_a_fault(patient_server: ServeProcess, key: str) -> None:
    names = ("cases", "answers_of_500_and_more", "slower_than_two_seconds", "rows_written")
    with counting("bad inputs") as counted, Wire(patient_server.url) as wire:
        counted.update(dict.fromkeys(names, 0))
        for round_ in rounds(ROUNDS):
            chance, before = random.Random(round_), everything_written()
            for _ in range(CASES):
                check(wire, written(chance, spoiled(chance, key)), counted)
            changed = everything_written() != before
            counted["rows_written"] += changed
            assert not changed, f"round {round_}"


def check(wire: Wire, request: bytes, counted: "Counter[str]") -> None:
    started = perf_counter()
    answer: Answer = wire.ask(request)
    took = perf_counter() - started
    counted["cases"] += 1
    counted["answers_of_500_and_more"] += answer.status >= 500
    counted["slower_than_two_seconds"] += not in_time(took, 2)
    assert answer.status < 500, (request[:2_000], answer.body[:200])
    assert in_time(took, 2), request[:2_000]
    assert answer.headers["content-type"] == "application/json"
    read_strictly(answer.body)
