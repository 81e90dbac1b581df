"""What bytes alone in a golden file cannot say: pauses, odd cuts, clients that go away, settings of the server."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import World, everything_written, orders_written

from processes import start_serve
from raw_http import Wire, post, post_form, post_json

ADD = {"action": "add", "service": "1", "link": "https://example.com/page", "quantity": "50"}
BALANCE = b'{"balance":"100.84292","currency":"USD"}'


def balance_request(world: World) -> bytes:
    return post_form(key=world.names["seed_key"], action="balance")


@pytest.mark.parametrize("path", ["/api/v2", "/api/v2/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_neither_path_redirects(world: World, path: str, method: str) -> None:
    key = world.names["seed_key"]
    with Wire(world.server.url) as wire:
        answer = wire.ask(f"{method} {path}?key={key}&action=balance HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert (answer.status, answer.body) == (200, BALANCE)
    assert "location" not in answer.headers


@pytest.mark.parametrize("target", ["http://panel/api/v2", "/api/%762", "/api/v2/#top"])
def test_the_path_may_be_written_otherwise(world: World, target: str) -> None:
    with Wire(world.server.url) as wire:
        answer = wire.ask(post(f"key={world.names['seed_key']}&action=balance".encode(), target=target))
    assert (answer.status, answer.body) == (200, BALANCE)


def test_other_methods_are_refused_and_the_connection_lives(world: World) -> None:
    with Wire(world.server.url) as wire:
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = wire.ask(post(b"action=balance").replace(b"POST", method.encode(), 1))
            assert (answer.status, answer.body) == (200, b'{"error":"Incorrect request"}')
        assert wire.ask(balance_request(world)).body == BALANCE


@pytest.mark.parametrize("path", ["/api/v2//", "/api/v1", "/API/v2", "/api/v2/x", "/api", "/"])
def test_other_paths_are_not_the_api(world: World, path: str) -> None:
    with Wire(world.server.url) as wire:
        answer = wire.ask(post(f"key={world.names['seed_key']}&action=balance".encode(), target=path))
    assert b"balance" not in answer.body


def test_the_same_words_under_other_headers_are_another_request(world: World) -> None:
    ours, theirs = (
        post(b"action=balance", headers=[f"Authorization: Bearer {world.names[name]}"])
        for name in ("seed_key", "other_key")
    )
    as_json = post_json(key=world.names["seed_key"], action="balance")
    as_text = as_json.replace(b"application/json", b"application/x-www-form-urlencoded")
    assert as_text != as_json
    with Wire(world.server.url) as wire:
        # Twice each: the second time the words are remembered.
        for _ in range(2):
            assert wire.ask(ours).body == BALANCE
            assert wire.ask(theirs).body not in (BALANCE, b'{"error":"Invalid API key"}')
            assert wire.ask(as_json).body == BALANCE
            assert wire.ask(as_text).body == b'{"error":"Invalid API key"}'


def test_the_body_may_come_after_the_server_said_to_continue(world: World) -> None:
    request = balance_request(world).replace(b"Host: panel\r\n", b"Host: panel\r\nExpect: 100-continue\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    with Wire(world.server.url) as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.answer().status == 100
        assert wire.is_silent()
        wire.send(body)
        assert wire.answer().body == BALANCE


def test_a_request_is_not_answered_before_it_is_whole(world: World) -> None:
    request = balance_request(world)
    with Wire(world.server.url) as wire:
        wire.send(request[:-1])
        assert wire.is_silent()
        wire.send(request[-1:])
        assert wire.answer().body == BALANCE


def test_a_connection_carries_a_thousand_requests(world: World) -> None:
    with Wire(world.server.url) as wire:
        for _ in range(1_000):
            assert wire.ask(balance_request(world)).body == BALANCE


@settings(max_examples=30)
@given(seed=st.integers())
def test_pipelined_requests_cut_anywhere_are_answered_in_order(world: World, seed: int) -> None:
    """Cuts fall inside heads, bodies, CRLFs and between requests, as networks cut them."""
    chance = random.Random(seed)
    names = world.names
    asked = [
        (balance_request(world), BALANCE),
        (post_form(key="wrong", action="balance"), b'{"error":"Invalid API key"}'),
        (post_json(key=names["seed_key"], action="status", orders=[10]), b'{"10":{"error":"Incorrect order ID"}}'),
        (post_form(key=names["key"], action="dance"), b'{"error":"Incorrect request"}'),
        (post(b"\xff" * 70_000), b'{"error":"Incorrect request"}'),
    ]
    asked = chance.choices(asked, k=12)
    stream = b"".join(request for request, _ in asked)
    cuts = sorted({0, len(stream), *(chance.randrange(len(stream)) for _ in range(20))})
    with Wire(world.server.url) as wire:
        wire.send(*(stream[start:end] for start, end in pairwise(cuts)))
        assert [wire.answer().body for _ in asked] == [reply for _, reply in asked]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_client_that_goes_away_amid_its_order_has_ordered_nothing(world: World, share: float) -> None:
    before = everything_written()
    request = post_form(key=world.names["key"], **ADD)
    with Wire(world.server.url) as wire:
        wire.send(request[: int(len(request) * share)])
    with Wire(world.server.url) as wire:
        assert wire.ask(balance_request(world)).body == BALANCE
    assert everything_written() == before


def test_a_connection_survives_every_refusal(world: World) -> None:
    before = everything_written()
    refused = [
        (post(b"{", content_type="application/json"), 200),
        (post(b"--", content_type="multipart/form-data; boundary=x"), 200),
        (post(b"%ff"), 200),
        (post(b"x" * 1_048_577), 413),
        (post_form(key="wrong"), 200),
    ]
    with Wire(world.server.url) as wire:
        for request, status in refused:
            assert wire.ask(request).status == status
            assert wire.ask(balance_request(world)).body == BALANCE
    assert everything_written() == before


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/v2 HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST /api/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /api/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"POST /api/v2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v2 HTTP/1.1\r\nHost\x00: a\r\n\r\n",
        b"POST /api/v2\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\x00\r\n\r\n",
    ],
    ids=lambda garbage: str(garbage[:60]),
)
def test_what_is_no_http_is_refused_and_the_connection_closed(world: World, garbage: bytes) -> None:
    before = everything_written()
    with Wire(world.server.url) as wire:
        answer = wire.ask(garbage)
        assert answer.status in (400, 404)
        assert answer.headers.get("connection") == "close" or answer.status == 404
    assert everything_written() == before


HEAD = b"POST /api/v2 HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("begun", "more", "status"),
    [
        (b"POST /api/v2?a=", b"x" * 100_000, 431),
        (HEAD + b"X-Endless: ", b"x" * 100_000, 431),
        (HEAD, b"X-One: more\r\n" * 10_000, 431),
        (b"", b"\r\n" * 50_000, 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 100_000 + b"\r\na\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: more\r\n" * 10_000, 400),
    ],
    ids=["target", "header", "headers", "blank lines", "chunk extensions", "trailers"],
)
def test_an_endless_head_is_refused_and_not_kept(world: World, begun: bytes, more: bytes, status: int) -> None:
    with Wire(world.server.url) as wire:
        wire.send(begun, *[more] * 20)
        assert wire.answer().status == status
        assert wire.is_closed()
    with Wire(world.server.url) as wire:
        assert wire.ask(balance_request(world)).body == BALANCE


def test_sixty_kilobytes_of_query_are_read(world: World) -> None:
    key = world.names["seed_key"]
    with Wire(world.server.url) as wire:
        assert wire.ask(post(target=f"/api/v2?key={key}&action=balance&a={'x' * 60_000}")).body == BALANCE
        assert wire.ask(balance_request(world)).body == BALANCE


def test_an_answer_tells_its_length_and_type_and_nothing_of_the_server(world: World) -> None:
    with Wire(world.server.url) as wire:
        answer = wire.ask(balance_request(world))
    assert dict(answer.headers) == {"content-type": "application/json", "content-length": str(len(BALANCE))}


def test_without_the_database_every_answer_is_503_with_an_error_object(world: World) -> None:
    nowhere = {"HAWKER_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    with start_serve(nowhere) as server, Wire(server.url) as wire:
        for fields in (ADD, {"action": "balance"}, {"action": "services"}, {"action": "status", "order": "1"}):
            answer = wire.ask(post_form(key=world.names["key"], **fields))
            assert answer.status == 503
            assert answer.body == b'{"error":"Service temporarily unavailable, please try again later"}'
            assert answer.headers["content-type"] == "application/json"
        assert wire.ask(post(b"{", content_type="application/json")).status == 200


def test_the_operator_may_let_orders_be_placed_by_get(world: World) -> None:
    link = "https://example.com/watch?v=1&t=2"
    orders = orders_written()
    key = world.names["key"]
    with start_serve({"HAWKER_API_GET_WRITES": "1"}) as server, Wire(server.url) as wire:
        query = f"/api/v2?key={key}&action=add&service=1&quantity=50&link={link}"
        answer = wire.ask(f"GET {query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert world.panel.order(answer.json["order"])["link"] == link
    assert orders_written() == orders + 1
