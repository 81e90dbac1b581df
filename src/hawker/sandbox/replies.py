"""What goes back over the wire: an HTTP answer, and what happens to the connection around it."""

from dataclasses import dataclass
from enum import StrEnum

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
RSS = b"application/rss+xml; charset=utf-8"

REASONS = {
    200: b"OK",
    302: b"Found",
    304: b"Not Modified",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    413: b"Content Too Large",
    429: b"Too Many Requests",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
}


class Effect(StrEnum):
    """How the answer is given."""

    SEND = "send"
    CUT = "cut"  # part of the body, then the end of the connection
    RESET = "reset"  # nothing but a TCP reset
    HANG = "hang"  # nothing; the end of the connection after `seconds`


@dataclass(frozen=True, slots=True)
class SandboxReply:
    """One answer. `seconds` is waited before anything is sent; `missing_bytes` of the body are announced but cut."""

    body: bytes
    http_status: int = 200
    content_type: bytes = JSON
    location: bytes = b""
    etag: bytes = b""
    effect: Effect = Effect.SEND
    seconds: float = 0.0
    missing_bytes: int = 0

    def head(self, *, closes: bool, old: bool) -> bytes:
        """The status line and headers. `closes`: the connection ends after it; `old`: the client speaks HTTP/1.0."""
        connection = b"connection: close\r\n" if closes else b"connection: keep-alive\r\n" if old else b""
        return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b%b%b\r\n" % (
            self.http_status,
            REASONS[self.http_status],
            self.content_type,
            len(self.body) + self.missing_bytes,
            b"location: %b\r\n" % self.location if self.location else b"",
            b"etag: %b\r\n" % self.etag if self.etag else b"",
            connection,
        )
