"""The HTTP/1.1 connections of the web process: API v2 without ASGI, limits on heads, orderly refusals and shutdown."""

import asyncio
import re
import weakref
from collections.abc import Sized
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hawker.api.exchange import HttpExchange, refusal

MAX_HEAD_BYTES = 131_072
"""Largest head of a request, and most of what else is not body (trailers, chunk sizes): a comments list in a query
string fits."""

MAX_DISCARDED_BYTES = 16 * 1_048_576
"""How much of a body is read and discarded after the request was answered without it."""

IDLE_CLOSE_SECONDS = 1.0
"""How long a server that shuts down leaves an idle connection open: a request that is on its way arrives by then."""

API_PATHS = frozenset({b"/api/v2", b"/api/v2/"})
"""Both answer alike, without a redirect: that would lose the body of a POST."""

_SLICE_BYTES = 16_384
"""Larger reads are parsed in slices, so that the size of a head is known to within one of them."""

_HOST = re.compile(rb"(?:[a-z0-9\-._~!$&'()*+,;=%]{0,255}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?", re.IGNORECASE)
"""`uri-host [ ":" port ]` of RFC 9110, 7.2. It may be empty."""

_NO_HOST = b" "
"""Stands for a Host that was left out; no header has this value."""


class _Flow(FlowControl):
    """Does not read while pipelined requests wait for their turn.

    Uvicorn would resume reading after each answer, and while an application listens for the end of the connection:
    thousands of requests more for each that is answered, as long as the client sends them.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class _CycleTransport:
    """The transport as uvicorn's request cycle has it: a close does not cut off a client that is still sending."""

    def __init__(self, connection: "HttpConnection", cycle: Any) -> None:
        self._connection = connection
        # Weak, because the cycle has this object: together they would wait for the garbage collector.
        self._cycle = weakref.ref(cycle)
        self.write = connection.transport.write
        self.is_closing = connection.transport.is_closing

    def close(self) -> None:
        """Close the connection behind what was written."""
        cycle = self._cycle()
        self._connection.close_after_answer(is_sending=cycle is not None and cycle.more_body)


class HttpConnection(HttpToolsProtocol):
    """Hands requests of API v2 to their endpoint without ASGI (see exchange.py), all others to the ASGI application.

    - A head larger than MAX_HEAD_BYTES is refused with 431. The parser has no limits of its own: one endless header
      could fill the memory.
    - A request without a valid Host, or with two, is refused with 400 (RFC 9112, 3.2). HTTP/1.0 may leave it out.
    - Offers to switch to another protocol (`Upgrade: h2c`, `websocket`) are ignored, as RFC 9110, 7.8 allows. The
      parser takes a request with an offer for complete at the end of its head, and its body for the other protocol.
      So the head is parsed a second time without the offer.
    - A refusal is sent in its turn, after the answers to the requests before it. A client that is still sending its
      body gets the answer: the connection is half-closed, and what comes is read and discarded. Closing at once
      would reset the connection, and a client that writes first and reads later would never see the answer.
    - When the server shuts down, an idle connection stays open for IDLE_CLOSE_SECONDS: a client may be sending its
      next request just then. It is answered with `Connection: close`.
    - This class sets no timeouts; `connection_limits.py` closes stalled connections.
    """

    _stopping = False

    _refused = False
    """The client is told that this connection closes: whatever it goes on sending is discarded."""

    _lingers = False
    """The last answer is sent, and our side of the connection is closed."""

    _valid_host: bytes | None = _NO_HOST
    """The Host of the last request: most clients send the same one with each, and it need not be read again."""

    _discarded = 0
    """Bytes that were discarded of the current request's body."""

    _beside_body = 0
    """Bytes since this request began that are not its body. Of the slice in which it began nothing is counted."""

    _begun = 0
    """How many requests have begun."""

    _heads = 0
    """How many of their heads are complete."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if not self.app_state["endpoint"].connection_limits.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.app_state["endpoint"].connection_limits.release(self)
        super().connection_lost(exc)
        # Objects in a reference cycle would wait for the garbage collector: break the cycles now.
        self._unset_keepalive_if_required()
        self.cycle: Any = None
        self.pipeline.clear()

    # --- what connection_limits.py asks -------------------------------------------------------------

    def pending_input(self) -> object | None:
        """What the client has to do next: see connection_limits.py."""
        if self.flow.write_paused:
            return "to read", self._begun, self.transport.get_write_buffer_size()
        if self.flow.read_paused:
            return None
        if self._lingers:
            return "to close", self._begun
        if self._begun != self._heads:
            return "a head", self._begun
        if self.cycle is None or self.cycle.response_complete:
            # Between two requests uvicorn's keep-alive timer runs; the first byte of the next one stops it.
            return None if self.timeout_keep_alive_task is not None else ("a head", self._begun)
        return ("a body", self._begun) if self.cycle.more_body else None

    def close_stalled(self) -> None:
        """Close the connection; abort it where the client does not read what it is sent."""
        if self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    # --- parsing ------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if len(data) <= _SLICE_BYTES and not self._refused:
            self._parse(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _SLICE_BYTES):
            if self.transport.is_closing():
                return
            if self._refused:
                self._discard(len(data) - start)
                return
            self._parse(view[start : start + _SLICE_BYTES])

    def _parse(self, data: "bytes | memoryview") -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self._beside_body += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._parse_without_offer(bytes(data[offer.args[0] :]))
        except httptools.HttpParserError:
            if not self._refused:
                self.logger.warning("Invalid HTTP request received.")
                self._refuse(400)
        if self._beside_body > MAX_HEAD_BYTES and not (self._refused or self.transport.is_closing()):
            self._refuse(431 if self._begun != self._heads else 400)

    def _parse_without_offer(self, rest: bytes) -> None:
        """Parse the head that offers another protocol again without the offer, then what came behind it."""
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in (b"upgrade", b"http2-settings")]
        version, method = self.parser.get_http_version().encode(), self.parser.get_method()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(lines))
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does: what follows a request with `Connection: close` must not keep it from being answered.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._begun -= 1
        beside_body = self._beside_body
        self._parse(head)
        self._beside_body = beside_body
        if rest:
            self._beside_body -= len(rest)
            self._parse(rest)

    def on_message_begin(self) -> None:
        self._beside_body = self._discarded = 0
        self._begun += 1
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if self._beside_body > MAX_HEAD_BYTES - _SLICE_BYTES and self._head_bytes() > MAX_HEAD_BYTES:
            self._refuse(431)
            return
        version = self.parser.get_http_version()
        headers = dict(reversed(self.headers))
        if headers.get(b"host") != self._valid_host or len(headers) != len(self.headers):
            self._valid_host = self._read_host(version)
            if self._valid_host is None:
                self._refuse(400)
                return
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._refuse(400)
            return
        self._heads += 1
        path, _, query = self.url.partition(b"?")
        if path in API_PATHS or _is_api(path):
            self._open_exchange(query.partition(b"#")[0], headers, version)
        else:
            self._begin_scope()
            super().on_headers_complete()
            transport: Any = _CycleTransport(self, self.cycle)
            self.cycle.transport = transport
            if self.expect_100_continue:
                # Where it is answered without its body, the client may send that or not: no telling what comes next.
                self.cycle.keep_alive = False
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def _head_bytes(self) -> int:
        """The size of the current head. Spaces around values are not in it."""
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n\r\n") + fields

    def _read_host(self, version: str) -> bytes | None:
        """The Host of the current request, where that is valid; None where it must be refused."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts and version == "1.0":
            return _NO_HOST
        return hosts[0] if len(hosts) == 1 and _HOST.fullmatch(hosts[0]) else None

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        cycle: Any = self.cycle
        if self._begun != self._heads or cycle.response_complete:
            self._discard(len(body))
        elif isinstance(cycle, HttpExchange):
            cycle.receive(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        # After a head that was refused or offers another protocol the cycle is still the last request's.
        cycle: Any = self.cycle
        if self._begun == self._heads and not self._refused and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    # --- requests -----------------------------------------------------------------------------------

    def _begin_scope(self) -> None:
        """What uvicorn makes at the beginning of each request, for those that go through ASGI."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def _open_exchange(self, query: bytes, headers: dict[bytes, bytes], version: str) -> None:
        endpoint = self.app_state["endpoint"]
        # Several headers of one name: the first counts, but for the list that proxies add to.
        if b"x-forwarded-for" in headers:
            lists = [value for name, value in self.headers if name == b"x-forwarded-for"]
            headers[b"x-forwarded-for"] = b",".join(lists)
        exchange = HttpExchange(
            self,
            endpoint.take,
            method=self.parser.get_method().decode("ascii"),
            query=query,
            headers=headers,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            expects_continue=self.expect_100_continue,
            max_body=endpoint.max_body,
        )
        self._queue(exchange)

    def _queue(self, exchange: HttpExchange) -> None:
        """Start an exchange, or have it wait for the answers to the requests before it."""
        before, self.cycle = self.cycle, exchange
        if before is None or before.response_complete:
            exchange.start()
        else:
            self.flow.pause_reading()
            waiting: Any = exchange
            self.pipeline.appendleft((waiting, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin one that waited for its turn."""
        if isinstance(cycle, HttpExchange):
            # Many are answered as soon as they begin: each within the last one's answer would fill the stack.
            self.loop.call_soon(cycle.start)
        else:
            super()._start_asgi_task(cycle, app)
        # The last of those that waited may not have come whole.
        self.flow.resume_reading()

    def answered(self) -> None:
        """An exchange is over: on to the next request, as soon as the client reads what it was sent."""
        if self.flow.write_paused:
            waiting = asyncio.ensure_future(self.flow.drain())
            self.tasks.add(waiting)
            waiting.add_done_callback(self.tasks.discard)
            waiting.add_done_callback(lambda _: self.on_response_complete())
        else:
            self.on_response_complete()

    def on_response_complete(self) -> None:
        if not self._lingers:
            super().on_response_complete()

    # --- refusals and the end -----------------------------------------------------------------------

    def _refuse(self, status: int) -> None:
        """Answer the request that is being read with this status in its turn, and read no other."""
        self._refused = True
        exchange = HttpExchange(
            self,
            partial(HttpExchange.refuse, response=refusal(status)),
            method="",
            query=b"",
            headers={},
            keep_alive=False,
            expects_continue=False,
            max_body=0,
        )
        exchange.more_body = False
        broken = self.cycle
        if broken is None or self._begun != self._heads or not broken.more_body or broken.response_complete:
            self._queue(exchange)
            return
        # The head of a request was good and its body is not: the refusal takes its place.
        broken.disconnected = True
        broken.message_event.set()
        if getattr(broken, "response_started", False):
            self.transport.close()
        elif self.pipeline and self.pipeline[0][0] is broken:
            waiting: Any = exchange
            self.cycle, self.pipeline[0] = waiting, (waiting, self.app)
        else:
            self.cycle = None
            self._queue(exchange)

    def close_after_answer(self, *, is_sending: bool) -> None:
        """Close the connection behind the answer; `is_sending` says that the client is still sending its request."""
        if is_sending and self.transport.can_write_eof():
            self._lingers = self._refused = True
            self.flow.resume_reading()
            self.transport.write_eof()
        else:
            self.transport.close()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED_BYTES and not self.transport.is_closing():
            self.transport.close()

    def shutdown(self) -> None:
        """Called once, when the server stops."""
        self._stopping = True
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(IDLE_CLOSE_SECONDS, self._close_idle_soon)

    def _close_idle_soon(self) -> None:
        # A busy loop runs its timers before it reads its sockets: what has come meanwhile is read before we close.
        self.loop.call_later(0.01, self._close_idle)

    def _close_idle(self) -> None:
        if not self._is_answering() and not self.transport.is_closing():
            self.transport.close()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def _is_api(target: bytes) -> bool:
    """Whether a target written in an unusual way is the API's: escaped, or with scheme and host before the path."""
    target = target.partition(b"#")[0]
    if target[:1] != b"/":
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return target in API_PATHS or (b"%" in target and unquote_to_bytes(target) in API_PATHS)
