"""One HTTP request as the connection hands it over."""

from dataclasses import dataclass


@dataclass(slots=True)
class SandboxExchange:
    """`connection` numbers the TCP connections; `local` tells whether its peer is on this machine."""

    method: str
    path: str
    query: bytes
    body: bytes
    content_type: str
    authorization: str
    idempotency: str
    if_none_match: str
    connection: int
    local: bool
