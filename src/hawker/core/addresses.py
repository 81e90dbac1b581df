"""Network addresses as people write them: one address, a network, a list of them. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")
MAX_TEXT = 80
HOME_BITS = 64
"""An IPv6 customer holds a network of this size at least: all of its addresses are one caller."""


class BadAddress(Exception):
    """This is neither an address nor a network; the sentence says why."""


def read_address(text: str) -> Address | None:
    """The address, or None where the text is none.

    IPv4 that came through an IPv6 socket (`::ffff:192.0.2.1`) is IPv4, and the zone of a link-local
    address (`%eth0`) is left out: both are habits of the machine, not of the caller.
    """
    # Judged before it is remembered: a header may hold 100 kB of anything.
    return _read(text) if len(text) <= MAX_TEXT else None


@lru_cache(maxsize=10_000)
def _read(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def read_network(text: str) -> Network:
    """A network, or a single address as a network of one. Raises BadAddress.

    `192.0.2.7/24` is refused: whoever writes it may mean the one address or the whole network.
    """
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise BadAddress(f"{text.strip()[:60]!r} is neither an address nor a network: {error}") from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None, "an address inside a network cannot stand for the network"
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def read_networks(text: str) -> tuple[Network, ...]:
    """Several, separated by commas or spaces. Raises BadAddress."""
    return tuple(read_network(piece) for piece in text.replace(",", " ").split())


def write_network(network: Network) -> str:
    """The short form: a network of one address is written as the address."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address."""
    return any(address in network for network in networks)


@lru_cache(maxsize=10_000)
def caller_of(address: Address) -> str:
    """Whom limits count: an IPv4 address, or the /64 around an IPv6 one."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, HOME_BITS), strict=False))
    return str(address)
