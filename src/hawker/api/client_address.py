"""Who is asking: the address at the other end, or the one that a trusted proxy tells of."""

from collections.abc import Mapping, Sequence

from hawker.core.addresses import Address, Network, is_within, read_address

MAX_HOPS = 20
"""So many proxies stand in no row; a longer list is somebody's attempt to keep us busy."""


def find_client_address(
    client: tuple[str, int] | None, headers: Mapping[bytes, bytes], trusted: Sequence[Network]
) -> Address | None:
    """The address of whoever asks; None where the connection has none (a socket of the file system).

    `X-Forwarded-For` is believed only when the connection comes from a trusted proxy, and then from
    its end: each proxy adds the address it saw, so the last one that is not a trusted proxy itself is
    the caller. Whatever stands before it was written by the caller and may be anything.
    """
    peer = read_address(client[0]) if client is not None else None
    if not trusted or peer is None or not is_within(peer, trusted):
        return peer
    for text in _told(headers.get(b"x-forwarded-for", b"")):
        told = read_address(_without_port(text))
        if told is None:
            return peer
        peer = told
        if not is_within(peer, trusted):
            break
    return peer


def _told(lists: bytes) -> list[str]:
    """What `X-Forwarded-For` lists, the nearest proxy's word first."""
    pieces = lists.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
    return [piece.strip() for piece in reversed(pieces) if piece.strip()]


def _without_port(text: str) -> str:
    """Some proxies add the caller's port: `192.0.2.1:4711`, `[2001:db8::1]:4711`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
