"""The client's address: the other end of the connection, or what a trusted proxy says in `X-Forwarded-For`."""

from collections.abc import Mapping, Sequence

from hawker.core.addresses import Address, Network, is_within, read_address

MAX_HOPS = 20
"""Most entries of `X-Forwarded-For` that are read. No real chain of proxies is longer."""


def find_client_address(
    client: tuple[str, int] | None, headers: Mapping[bytes, bytes], trusted: Sequence[Network]
) -> Address | None:
    """The client's address; None where the connection has none (a Unix domain socket).

    `X-Forwarded-For` is believed only when the connection comes from a trusted proxy, and is then read from its end:
    each proxy appends the address it saw, so the last address that is no trusted proxy is the client. The entries
    before it were written by the client and may be anything.
    """
    address = read_address(client[0]) if client is not None else None
    if not trusted or address is None or not is_within(address, trusted):
        return address
    for text in _entries(headers.get(b"x-forwarded-for", b"")):
        forwarded = read_address(_without_port(text))
        if forwarded is None:
            return address
        address = forwarded
        if not is_within(address, trusted):
            break
    return address


def _entries(lists: bytes) -> list[str]:
    """The entries of `X-Forwarded-For`, the nearest proxy's first."""
    pieces = lists.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return [piece.strip() for piece in reversed(pieces) if piece.strip()]


def _without_port(text: str) -> str:
    """The address without the port that some proxies append: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
