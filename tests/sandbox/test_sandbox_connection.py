"""HTTP as clients really write it: kept-alive, pipelined, chunked, torn into pieces, too large, none at all."""

import socket

import pytest
from sandbox_peer import KEY, running

BODY = f"key={KEY}&action=balance".encode()
FORM = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CALL = b"POST /api/v2 HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
ANSWER = b'{"balance":"10000.00","currency":"USD"}'


@pytest.fixture(scope="module")
def peer():
    with running("services:delay=1:0.05") as peer:
        yield peer


def talk(peer, *pieces: bytes, answers: int = 0) -> bytes:
    """Send pieces one by one, then listen for so many answers, or until the server closes; all that it said."""
    said = b""
    with socket.create_connection(peer.address, timeout=10) as client:
        for piece in pieces:
            client.sendall(piece)
        while not answers or said.count(b"}") < answers:
            more = client.recv(65_536)
            if not more:
                return said + b"|closed"
            said += more
    return said


def test_a_connection_is_kept_and_requests_sent_at_once_are_answered_in_order(peer):
    said = talk(peer, CALL * 3, CALL, answers=4)

    assert said.count(ANSWER) == 4


def test_an_answer_that_is_held_back_holds_back_the_ones_after_it(peer):
    services = BODY.replace(b"balance", b"services")
    held = b"POST /api/v2 HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(services) + services
    said = talk(peer, held + CALL, answers=201)

    assert 0 < said.index(b'"service":200') < said.index(ANSWER)


def test_a_request_torn_into_single_bytes_is_read_whole(peer):
    assert ANSWER in talk(peer, *(CALL[at : at + 1] for at in range(len(CALL))), answers=1)


def test_a_chunked_body_is_read(peer):
    head = b"POST /api/v2 HTTP/1.1\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:])) + b"0\r\n\r\n"

    assert ANSWER in talk(peer, head, chunks, answers=1)


def test_a_client_that_waits_for_100_continue_gets_it(peer):
    said = talk(peer, CALL.replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length"), answers=1)

    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_an_old_client_and_one_that_asks_for_it_see_the_connection_closed(peer):
    assert talk(peer, CALL.replace(b"HTTP/1.1", b"HTTP/1.0")).endswith(ANSWER + b"|closed")
    assert talk(peer, CALL.replace(b"Host: x", b"Host: x\r\nConnection: close")).endswith(ANSWER + b"|closed")


def test_an_offer_of_http_2_is_not_taken_and_the_request_answered(peer):
    offer = (
        b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
    )

    assert talk(peer, CALL.replace(b"Host: x", offer), CALL, answers=2).count(ANSWER) == 2


def test_a_body_that_is_too_large_is_answered_413_in_json(peer):
    large = b"key=%b" % (b"x" * 1_100_000)
    said = talk(
        peer, b"POST /api/v2 HTTP/1.1\r\n" + FORM + b"Content-Length: %d\r\n\r\n" % len(large), large, answers=1
    )

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b'{"error":"Incorrect request: the body is too large"}' in said


@pytest.mark.parametrize(
    "noise",
    [
        b"hello\r\n\r\n",
        b"CONNECT shop.example:443 HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ],
)
def test_what_is_no_http_is_answered_400_and_the_connection_ends(peer, noise):
    said = talk(peer, noise)

    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.endswith(b"|closed")


def test_a_good_request_before_noise_is_answered_first(peer):
    said = talk(peer, CALL + b"hello\r\n\r\n")

    assert said.index(ANSWER) < said.index(b" 400 ")
