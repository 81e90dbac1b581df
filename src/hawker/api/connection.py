"""The server's HTTP/1.1 connection: one habit of clients put right, and heads kept within bounds."""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 131_072
"""Most that a request may have beside its body: a comments list in a query string fits."""

LAST_CALL_SECONDS = 1.0
"""How long a stopping server leaves an idle connection open: a request that is on its way arrives by then."""

_METHODS = (b"GET ", b"POST ")
_HEAD = re.compile(rb"(?:GET|POST) [^\r\n]+ HTTP/1\.1\r\n")
_OFFER = re.compile(rb"\r\n(?:upgrade:[ \t]*h2c|http2-settings:[^\r\n]*)(?=\r\n)", re.IGNORECASE)


class Connection(HttpToolsProtocol):
    """Declines the offer of HTTP/2 without encryption that Java's client sends with its first request.

    The parser takes a request with such an offer for complete at the end of its head, and the form
    behind it for the other protocol: the call would arrive without its key. An offer may be ignored
    (RFC 9110, 7.8), so it is taken out before the parser sees it.

    It also stops as a good server does. A client that holds a connection may be sending its next request just
    as we stop, and a close would cut it off: it is answered with `Connection: close` instead, and a
    connection is closed when nothing has come for LAST_CALL_SECONDS.

    The parser has no limits of its own: a stranger could fill the memory with one endless header, and
    with trailers after the body. Whatever is not body is counted, and refused past MAX_HEAD_BYTES.
    """

    _first: bytes | None = b""
    """What has come of the connection's first head, which may come in pieces; None once it is whole."""

    _stopping = False

    _beside_body = 0
    """Bytes since this request began that are not its body."""

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
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        self._beside_body -= len(body)
        super().on_body(body)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._stopping and self.cycle is not None:
            self.cycle.keep_alive = False

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


def _may_go_on(data: bytes) -> bool:
    """Whether this is the beginning of a head that is not whole yet; anything else the parser judges."""
    begins = any(data.startswith(method) or method.startswith(data) for method in _METHODS)
    return begins and b"\n\r\n" not in data and b"\n\n" not in data and len(data) < MAX_HEAD_BYTES
