"""The server's HTTP/1.1 connection: one habit of clients put right, and heads kept within bounds."""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 131_072
"""Most that a request may have beside its body: a comments list in a query string fits."""

_METHODS = (b"GET ", b"POST ")
_HEAD = re.compile(rb"(?:GET|POST) [^\r\n]+ HTTP/1\.1\r\n")
_OFFER = re.compile(rb"\r\n(?:upgrade:[ \t]*h2c|http2-settings:[^\r\n]*)(?=\r\n)", re.IGNORECASE)


class Connection(HttpToolsProtocol):
    """Declines the offer of HTTP/2 without encryption that Java's client sends with its first request.

    The parser takes a request with such an offer for complete at the end of its head, and the form
    behind it for the other protocol: the call would arrive without its key. An offer may be ignored
    (RFC 9110, 7.8), so it is taken out before the parser sees it.

    The parser has no limits of its own: a stranger could fill the memory with one endless header, and
    with trailers after the body. Whatever is not body is counted, and refused past MAX_HEAD_BYTES.
    """

    _first: bytes | None = b""
    """What has come of the connection's first head, which may come in pieces; None once it is whole."""

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


def _may_go_on(data: bytes) -> bool:
    """Whether this is the beginning of a head that is not whole yet; anything else the parser judges."""
    begins = any(data.startswith(method) or method.startswith(data) for method in _METHODS)
    return begins and b"\n\r\n" not in data and b"\n\n" not in data and len(data) < MAX_HEAD_BYTES
