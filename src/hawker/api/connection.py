"""The server's HTTP/1.1 connection: a way of its own for API v2, heads within bounds, a stop that cuts nobody off."""

import asyncio
import re
from collections.abc import Sized
from typing import Any
from urllib.parse import unquote_to_bytes

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hawker.api.exchange import HttpExchange

MAX_HEAD_BYTES = 131_072
"""Most that a request may have beside its body: a comments list in a query string fits."""

LAST_CALL_SECONDS = 1.0
"""How long a stopping server leaves an idle connection open: a request that is on its way arrives by then."""

API_PATHS = frozenset({b"/api/v2", b"/api/v2/"})
"""Both answer alike, without a redirect: that would lose the body of a POST (protocol.md, Transport)."""

_METHODS = (b"GET ", b"POST ")
_HEAD = re.compile(rb"(?:GET|POST) [^\r\n]+ HTTP/1\.1\r\n")
_OFFER = re.compile(rb"\r\n(?:upgrade:[ \t]*h2c|http2-settings:[^\r\n]*)(?=\r\n)", re.IGNORECASE)


class _Flow(FlowControl):
    """Reads nothing more while requests wait for their turn.

    The server would read on after each answer, and while an application listens for the end of the connection:
    thousands of requests more for each that is answered, as long as the client sends them.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class HttpConnection(HttpToolsProtocol):
    """Hands requests of API v2 to the application's endpoint as they are, past ASGI (see exchange.py).

    It declines the offer of HTTP/2 without encryption that Java's client sends with its first request.

    The parser takes a request with such an offer for complete at the end of its head, and the form
    behind it for the other protocol: the call would arrive without its key. An offer may be ignored
    (RFC 9110, 7.8), so it is taken out before the parser sees it.

    It also stops as a good server does. A client that holds a connection may be sending its next request just
    as we stop, and a close would cut it off: it is answered with `Connection: close` instead, and a
    connection is closed when nothing has come for LAST_CALL_SECONDS.

    The parser has no limits of its own: a stranger could fill the memory with one endless header, and
    with trailers after the body. Whatever is not body is counted, and refused past MAX_HEAD_BYTES.
    Nor has it patience's end: a client that lets us wait is turned out (connection_limits.py).
    """

    _first: bytes | None = b""
    """What has come of the connection's first head, which may come in pieces; None once it is whole."""

    _stopping = False

    _beside_body = 0
    """Bytes since this request began that are not its body."""

    _begun = 0
    """How many requests have begun."""

    _heads = 0
    """Of how many the head is whole."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if not self.app_state["endpoint"].connection_limits.admit(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.app_state["endpoint"].connection_limits.release(self)
        super().connection_lost(exc)
        # What refers to each other in a circle waits for the collector, and that for many others: let go of it at once.
        self._unset_keepalive_if_required()
        self.cycle: Any = None
        self.pipeline.clear()

    def pending_input(self) -> object | None:
        """What the client owes us: see connection_limits.py."""
        if self.flow.write_paused:
            return "to read", self._begun, self.transport.get_write_buffer_size()
        if self.flow.read_paused:
            return None
        if self._begun != self._heads:
            return "a head", self._begun
        if self.cycle is None or self.cycle.response_complete:
            # Between two requests the server's own timer runs; the first byte of the next one stops it.
            return None if self.timeout_keep_alive_task is not None else ("a head", self._begun)
        return ("a body", self._begun) if self.cycle.more_body else None

    def close_stalled(self) -> None:
        """Close the connection; a client that does not read what it is sent is cut off."""
        if self.flow.write_paused:
            self.transport.abort()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        if self._first is not None:
            data = self._first + data
            if _may_go_on(data):
                self._first = data
                return
            self._first = None
            if b"h2c" in data and _HEAD.match(data):
                head, blank, body = data.partition(b"\r\n\r\n")
                data = _OFFER.sub(b"", head) + blank + body
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        self._beside_body = 0
        self._begun += 1
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        cycle: Any = self.cycle
        if not isinstance(cycle, HttpExchange):
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.receive(body)

    def on_headers_complete(self) -> None:
        self._heads += 1
        path, _, query = self.url.partition(b"?")
        if path in API_PATHS or _is_api(path):
            self._open_exchange(query.partition(b"#")[0])
        else:
            self._begin_scope()
            super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def _begin_scope(self) -> None:
        """What the server makes at the beginning of each request, for those that go through ASGI."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)

    def _open_exchange(self, query: bytes) -> None:
        before, endpoint = self.cycle, self.app_state["endpoint"]
        # Several headers of one name: the first counts, but for the list that proxies add to.
        headers = dict(reversed(self.headers))
        if b"x-forwarded-for" in headers:
            lists = [value for name, value in self.headers if name == b"x-forwarded-for"]
            headers[b"x-forwarded-for"] = b",".join(lists)
        cycle: Any = HttpExchange(
            self,
            endpoint.take,
            method=self.parser.get_method().decode("ascii"),
            query=query,
            headers=headers,
            keep_alive=self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive(),
            expects_continue=self.expect_100_continue,
            max_body=endpoint.max_body,
        )
        self.cycle = cycle
        if before is None or before.response_complete:
            cycle.start()
        else:
            # It was sent before the answer to the last one was read: it waits for its turn.
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

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

    def shutdown(self) -> None:
        """Called once, when the server stops."""
        self._stopping = True
        if self._is_answering():
            super().shutdown()
        else:
            self.loop.call_later(LAST_CALL_SECONDS, self._look_again)

    def _look_again(self) -> None:
        # A busy loop sees to its timers before its sockets: what has come meanwhile is read before we hang up.
        self.loop.call_later(0.01, self._hang_up)

    def _hang_up(self) -> None:
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


def _may_go_on(data: bytes) -> bool:
    """Whether this is the beginning of a head that is not whole yet; anything else the parser judges."""
    begins = any(data.startswith(method) or method.startswith(data) for method in _METHODS)
    return begins and b"\n\r\n" not in data and b"\n\n" not in data and len(data) < MAX_HEAD_BYTES
