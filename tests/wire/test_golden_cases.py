"""Every case of cases/: these bytes out, those bytes back, and nothing written that was not ordered."""

from collections.abc import Callable, Iterable
from secrets import token_hex

import pytest
from golden import Case, read_cases
from seed_document import read_strictly
from world import World, everything_written, orders_written

from raw_http import Answer, Wire

CASES = read_cases()
Cut = Callable[[bytes], Iterable[bytes]]


def at_once(request: bytes) -> Iterable[bytes]:
    return [request]


def byte_by_byte(request: bytes) -> Iterable[bytes]:
    """The first 4,000 bytes one at a time: every boundary that the head and a small body have."""
    return [*(request[place : place + 1] for place in range(min(len(request), 4_000))), request[4_000:]]


def check_reply(case: Case, answer: Answer) -> None:
    if answer.status < 200 or answer.status == 304:
        return
    assert answer.headers["content-type"] == "application/json", case
    assert "location" not in answer.headers
    value = read_strictly(answer.body)
    if isinstance(value, dict) and "error" in value:
        assert list(value) == ["error"]
        assert value["error"]


@pytest.mark.parametrize("cut", [at_once, byte_by_byte], ids=lambda cut: cut.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_these_bytes_are_answered_with_those(world: World, case: Case, cut: Cut) -> None:
    before, orders, names = everything_written(), orders_written(), {**world.names, "once": token_hex(16)}
    with Wire(world.server.url) as wire:
        for exchange in case.exchanges:
            wire.send(*cut(exchange.bytes_to_send(names)))
            for reply in exchange.replies:
                answer = wire.answer()
                assert (answer.status, answer.body) == (reply.status, answer.body)
                found = reply.pattern(names).fullmatch(answer.body)
                assert found, answer.body
                if found.groups():
                    names["same_order"] = found.groups()[-1].decode()
                check_reply(case, answer)
    if case.new_orders:
        assert orders_written() == orders + case.new_orders
    else:
        assert everything_written() == before
