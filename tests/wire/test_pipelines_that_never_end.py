"""Clients that send thousands of requests before they read one answer."""

import contextlib
import os
import threading
from pathlib import Path

import pytest
from world import World

from raw_http import Wire, post_form

REFUSED = b"GET /api/v2?%ff HTTP/1.1\r\nHost: x\r\n\r\n"

MOST_MEGABYTES = 64
"""What a connection's requests that wait may take; without a bound it is this much within a second."""


def test_thousands_of_requests_behind_one_answer_are_answered_once_each_and_in_order(world: World) -> None:
    balance = post_form(key=world.names["key"], action="balance")
    with Wire(world.server.url) as wire:
        expected = wire.ask(balance).body
        wire.send(balance + REFUSED * 2_000 + balance)
        answers = [wire.answer().body for _ in range(2_002)]
        assert answers == [expected, *[b'{"error":"Incorrect request"}'] * 2_000, expected]
        assert wire.is_silent()


@pytest.mark.parametrize(
    ("target", "answers"), [(b"/api/v2?key=wrong&action=balance", 3_000), (b"/api", 20)], ids=["the API", "a page"]
)
def test_a_client_that_sends_faster_than_it_is_answered_waits_and_fills_no_memory(
    world: World, target: bytes, answers: int
) -> None:
    requests = b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % target * 5_000
    with Wire(world.server.url) as wire:
        before = _megabytes(world.server.pid)

        def send() -> None:
            with contextlib.suppress(OSError):
                while True:
                    wire.send(requests)

        sending = threading.Thread(target=send)
        sending.start()
        try:
            for _ in range(answers):
                assert wire.answer().status == 200
                assert _megabytes(world.server.pid) - before < MOST_MEGABYTES
        finally:
            wire.hang_up()
            sending.join()


def _megabytes(pid: int) -> int:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def test_a_request_that_waited_for_its_turn_may_come_in_pieces(world: World) -> None:
    balance = post_form(key=world.names["key"], action="balance")
    with Wire(world.server.url) as wire:
        expected = wire.ask(balance).body
        wire.send(balance + REFUSED + balance[:-5])
        assert [wire.answer().body for _ in range(2)] == [expected, b'{"error":"Incorrect request"}']
        wire.send(balance[-5:])
        assert wire.answer().body == expected
