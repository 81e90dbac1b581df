"""Every parameter of every type × every bad value, made from the tables: the text of the parameter, nothing written."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from bad_values import EVERY_TEXT, NUL, is_good_link, sent_as_nothing
from seed_document import read_strictly
from world import everything_written

from hawker.protocol.actions import EXAMPLE_VALUES, example_order
from hawker.protocol.params import Param, ParamKind
from hawker.protocol.service_types import TYPES, QuantityRule, ServiceType
from panel import Panel, forget_rows
from processes import ServeProcess
from raw_http import Wire, post

UNREADABLE = "Incorrect request"
SHORT = 20_000
"""Characters of the longest value that is tried everywhere; the longer ones only where a list is taken."""

TOGETHER = {
    "runs": {"interval": "60"},
    "interval": {"runs": "3"},
    "google_keyword": {"type_of_traffic": "1"},
    "referring_url": {"type_of_traffic": "2"},
}
"""What an optional parameter must come with, lest the lack of that is refused first."""

FIELDS = [(kind, param) for kind in TYPES for param in kind.params]
PENNILESS = ("Not enough funds on balance", "Quantity less than minimal 1", "Quantity more than maximum 10000")
"""What answers a value that can be read after all: whoever asks has no money."""


@pytest.fixture(scope="module")
def key(patient_server: ServeProcess) -> Iterator[str]:
    """Of a customer without money, at a panel that sells every type under the number that examples use."""
    forget_rows()
    panel = Panel()
    for number, kind in enumerate(TYPES, start=1):
        per_post = {"subscription": "local", "post_url": "https://example.com/{username}.xml"}
        flags = per_post if kind.quantity is QuantityRule.PER_POST else {"dripfeed": kind.drip_feed}
        panel.service(id=number, type=kind.name, minimum=1, **flags)
    yield panel.customer(credit="0").api_key
    panel.assert_verified()


def own_text(param: Param) -> str:
    return f"Incorrect {param.name}"


def can_be_read(param: Param, text: str) -> bool:
    """Whether the value is good in its own right, by the words of the document and not by our reader."""
    match param.kind:
        case ParamKind.LINK:
            return is_good_link(text)
        case ParamKind.TEXT:
            controls = any((ord(letter) < 32 and letter != "\t") or letter == "\x7f" for letter in text.strip())
            return 0 < len(text.strip()) <= param.max_length and not controls
        case ParamKind.LINES:
            lines = [line.strip() for line in text.split("\n") if line.strip()]
            controls = any(ord(letter) < 32 and letter not in "\t\r\n" for letter in text) or "\x7f" in text
            fits = 0 < len(lines) <= 100_000 and max(map(len, lines)) <= param.max_length
            return fits and not controls and not any("\r" in line for line in lines)
        case ParamKind.DATE:
            return False
        case _:
            whole = re.fullmatch(" *([0-9]{1,12}) *", text, re.ASCII)
            if whole is None:
                return False
            return int(whole[1]) in param.choices or (
                not param.choices and param.minimum <= int(whole[1]) <= param.maximum
            )


def expected(param: Param, text: str) -> tuple[str, ...]:
    """The texts that may answer the value."""
    if text == NUL:
        return (UNREADABLE,)
    if sent_as_nothing(text):
        # Without a parameter that must not come alone, its companion is what is wrong.
        alone = tuple(f"Incorrect {name}" for name in (param.name, *TOGETHER.get(param.name, ())))
        return (own_text(param),) if param.required else (*PENNILESS, *alone)
    return PENNILESS if can_be_read(param, text) else (own_text(param),)


@pytest.mark.parametrize(("kind", "param"), FIELDS, ids=lambda item: item.name)
def test_a_bad_value_is_refused_with_the_text_of_its_parameter(
    patient_server: ServeProcess, key: str, kind: ServiceType, param: Param
) -> None:
    base = {"key": key, "action": "add", **example_order(kind), **TOGETHER.get(param.name, {})}
    before, tried = everything_written(), 0
    with Wire(patient_server.url) as wire:
        for what, text in EVERY_TEXT.items():
            allowed = expected(param, text)
            # A subscription costs nothing until there is a post: a good value would be an order.
            is_order = kind.quantity is QuantityRule.PER_POST and allowed[: len(PENNILESS)] == PENNILESS
            if is_order or (len(text) > SHORT and param.kind is not ParamKind.LINES):
                continue
            answer = wire.ask(post(urlencode({**base, param.name: text}).encode()))
            value = read_strictly(answer.body)
            assert (answer.status, list(value)) == (200, ["error"]), (what, answer.body[:200])
            assert value["error"] in allowed, (what, value["error"], allowed)
            tried += 1
    assert tried > 10
    assert everything_written() == before


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_a_parameter_sent_twice_is_refused_in_query_and_body_alike(
    patient_server: ServeProcess, key: str, kind: ServiceType
) -> None:
    base = {"key": key, "action": "add", **example_order(kind)}
    before = everything_written()
    with Wire(patient_server.url) as wire:
        for param in kind.params:
            once, other = urlencode({**base, param.name: EXAMPLE_VALUES[param.name]}), f"{param.name}=other"
            for request in (post(f"{once}&{other}".encode()), post(once.encode(), target=f"/api/v2?{other}")):
                assert wire.ask(request).body == b'{"error":"Incorrect request"}', param.name
    assert everything_written() == before


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"delay": "7"}, "Incorrect delay"),
        ({"expiry": "31/02/2027"}, "Incorrect expiry"),
        ({"expiry": "2027-02-01"}, "Incorrect expiry"),
        ({"expiry": "01/02/2020"}, "Incorrect expiry"),
        ({"min": "200", "max": "100"}, "Incorrect max"),
        ({"max": str(2**63)}, "Incorrect max"),
        ({"max": "10001"}, "Quantity more than maximum 10000"),
        ({"posts": "-1"}, "Incorrect posts"),
        ({"old_posts": "1001"}, "Incorrect old_posts"),
        ({"username": "a\r\nHost: b"}, "Incorrect username"),
        ({"username": "a" * 501}, "Incorrect username"),
    ],
    ids=lambda item: str(item)[:40],
)
def test_a_subscription_that_cannot_be_is_refused(
    patient_server: ServeProcess, key: str, fields: dict[str, str], text: str
) -> None:
    (kind,) = (kind for kind in TYPES if kind.quantity is QuantityRule.PER_POST)
    before = everything_written()
    reply = patient_server.call(key, "add", **{**example_order(kind), **fields})
    assert (reply.http_status, reply.error) == (200, text)
    assert everything_written() == before
