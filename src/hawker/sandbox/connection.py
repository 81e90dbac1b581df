"""HTTP/1.1 over one TCP connection, by hand: faults such as a TCP reset need the transport itself,
and nothing in between keeps the sandbox fast enough to be benchmarked against.
"""

import asyncio
import ipaddress
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from hawker.protocol.replies import plain_error_reply
from hawker.sandbox.exchange import SandboxExchange
from hawker.sandbox.replies import Effect, SandboxReply

MAX_BODY_BYTES = 1_048_576
MAX_HEAD_BYTES = 65_536
_MOST_WAITING = 1_000
_NO_LINGER = struct.pack("ii", 1, 0)
_OFFERS = (b"connection", b"upgrade", b"expect")
_TOO_LARGE = SandboxReply(plain_error_reply("body_too_large"), 413)
_BAD_REQUEST = SandboxReply(plain_error_reply("incorrect_request"), 400)

Answerer = Callable[[SandboxExchange], SandboxReply]


@dataclass(slots=True)
class _Asked:
    """A request to be answered, or the answer itself where the request was bad; the rest as in `SandboxReply.head`."""

    what: SandboxExchange | SandboxReply
    closes: bool
    old: bool = False


class SandboxConnection(asyncio.Protocol):
    """Answers requests in the order they come; while one answer is held back, later requests wait."""

    def __init__(self, answerer: Answerer, number: int, alive: set["SandboxConnection"]) -> None:
        self._answerer = answerer
        self._number = number
        self._alive = alive
        self._waiting: deque[_Asked] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._parser = httptools.HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # --- asyncio's side ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's in all but ancestry.
        self._transport = cast(asyncio.Transport, transport)
        self._local = _is_local(transport.get_extra_info("peername"))
        self._alive.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._closing = True
        self._alive.discard(self)
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._waiting.append(_Asked(_BAD_REQUEST, closes=True))
        if self._head_bytes > MAX_HEAD_BYTES or len(self._waiting) > _MOST_WAITING:
            self.close()
        self._answer_waiting()

    def close(self) -> None:
        """End the connection once what was written is sent."""
        self._closing = True
        self._transport.close()

    # --- the parser's side -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        name = name.lower()
        self._headers[name] = value
        if name == b"expect" and value.lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes <= MAX_BODY_BYTES:
            self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("ascii")
        # HEAD is no method of ours; its answer has a body, which must not be taken for the next answer.
        closes = method == "HEAD" or not self._parser.should_keep_alive()
        old = self._parser.get_http_version() == "1.0"
        large = self._body_bytes > MAX_BODY_BYTES
        self._waiting.append(_Asked(_TOO_LARGE if large else self._exchange(method), closes=closes, old=old))

    def _exchange(self, method: str) -> SandboxExchange:
        path, _, query = self._url.partition(b"?")
        headers = self._headers
        return SandboxExchange(
            method=method,
            path=path.decode("latin-1"),
            query=query,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            authorization=headers.get(b"authorization", b"").decode("latin-1"),
            idempotency=headers.get(b"idempotency-key", b"").decode("latin-1"),
            if_none_match=headers.get(b"if-none-match", b"").decode("latin-1"),
            connection=self._number,
            local=self._local,
        )

    def _decline(self, rest: bytes) -> None:
        """Read a request again without its offer of HTTP/2 or of a web socket.

        Java's client makes the offer with every first request; the parser then takes the head for the
        whole request, and what follows, which is the body, for the other protocol.
        """
        self._waiting.pop()
        method = self._parser.get_method()
        if method == b"CONNECT":  # To be a tunnel is no offer that can be left out.
            self._waiting.append(_Asked(_BAD_REQUEST, closes=True))
            return
        head = b"%b %b HTTP/1.1\r\n" % (method, self._url)
        kept = (b"%b: %b\r\n" % header for header in self._headers.items() if header[0] not in _OFFERS)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head + b"".join(kept) + b"\r\n" + rest)

    # --- answering ---------------------------------------------------------------------------------

    def _answer_waiting(self) -> None:
        while self._waiting and self._timer is None and not self._closing:
            asked = self._waiting.popleft()
            reply = asked.what if isinstance(asked.what, SandboxReply) else self._answerer(asked.what)
            if reply.seconds:
                self._timer = asyncio.get_running_loop().call_later(reply.seconds, self._late, asked, reply)
            else:
                self._give(reply, closes=asked.closes, old=asked.old)

    def _late(self, asked: _Asked, reply: SandboxReply) -> None:
        self._timer = None
        self._give(reply, closes=asked.closes, old=asked.old)
        self._answer_waiting()

    def _give(self, reply: SandboxReply, *, closes: bool, old: bool) -> None:
        match reply.effect:
            case Effect.RESET:
                self._reset()
            case Effect.HANG:
                self.close()
            case _:
                cut = reply.effect is Effect.CUT
                self._transport.write(reply.head(closes=closes and not cut, old=old) + reply.body)
                if closes or cut:
                    self.close()

    def _reset(self) -> None:
        """Send a TCP RST: closing a socket that may not linger does, on asyncio's loop and on uvloop's."""
        self._closing = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()


def _is_local(peer: object) -> bool:
    """Whether the peer is this machine; a Unix socket, which has no address, always is."""
    if not isinstance(peer, tuple) or not peer:
        return True
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
