"""The server's HTTP/1.1 connection, with one habit of clients put right."""

import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD = re.compile(rb"(?:GET|POST) [^\r\n]+ HTTP/1\.1\r\n")
_OFFER = re.compile(rb"\r\n(?:upgrade:[ \t]*h2c|http2-settings:[^\r\n]*)(?=\r\n)", re.IGNORECASE)


class Connection(HttpToolsProtocol):
    """Declines the offer of HTTP/2 without encryption that Java's client sends with its first request.

    The parser takes a request with such an offer for complete at the end of its head, and the form
    behind it for the other protocol: the call would arrive without its key. An offer may be ignored
    (RFC 9110, 7.8), so it is taken out before the parser sees it.
    """

    def data_received(self, data: bytes) -> None:
        if b"h2c" in data and _HEAD.match(data):
            head, blank, body = data.partition(b"\r\n\r\n")
            data = _OFFER.sub(b"", head) + blank + body
        super().data_received(data)
