"""Where we are willing to connect. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from hawker.providers.errors import BadProvider

MAX_URL = 500
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""The well-known prefix, behind which networks without IPv4 find the rest of the internet (RFC 6052)."""

_NOBODYS = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments, a cloud's metadata among them
            "192.88.99.0/24",  # relays of 6to4
            "168.63.129.16/32",  # a cloud's own host, the same from each of its machines
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2002::/16",  # 6to4: an IPv4 address of any kind inside
            "3fff::/20",  # documentation
        ),
    )
)
"""What `is_global` lets through although no panel can be there, whichever Python is asked."""

_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The third quarter of an IPv6 address that carries an IPv4 one as its last (RFC 5214)."""

_LOWEST_32_BITS = 0xFFFFFFFF

_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TARGET = re.compile(r"/[!-\[\]-~]*")
_THIS_MACHINE = re.compile(r"(?:.+\.)?localhost(?:\.localdomain)?|ip6-(?:localhost|loopback)")


@dataclass(frozen=True, slots=True)
class ProviderUrl:
    """A provider's address in the parts a connection needs."""

    tls: bool
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def read_provider_url(text: str, *, allow_private: bool) -> ProviderUrl:
    """The parts of a provider's address. Raises BadProvider with a sentence.

    https is required: the key travels in the body. `allow_private` opens http too, for panels on
    one's own machine or network.
    """
    text = text.strip()
    if len(text) > MAX_URL or any(c.isspace() or not c.isprintable() for c in text):
        raise BadProvider("the address is too long or has blanks in it")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadProvider(f"{text!r} is not an address such as https://panel.example/api/v2") from error
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise BadProvider(f"{text!r} is not an address such as https://panel.example/api/v2")
    if "@" in parts.netloc or parts.fragment:
        raise BadProvider("the address must not hold a user name, password or fragment")
    if parts.scheme == "http" and not allow_private:
        raise BadProvider("the address must begin with https:// (every call contains the key)")
    host = _read_host(parts.hostname, allow_private=allow_private)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise BadProvider("the part after the host must be ASCII, percent-encoded where needed")
    tls = parts.scheme == "https"
    return ProviderUrl(tls, host, port or (443 if tls else 80), target)


def _read_host(text: str, *, allow_private: bool) -> str:
    """The host as it is looked up and dialled: an address in its one plain form, or a name in ASCII.

    Resolvers also take `2130706433`, `0x7f.1` and `0177.0.0.1` for addresses, each in its own way: whoever needs
    them hides something. A name's addresses are checked where it is resolved, at every connection (http_client.py).
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _read_name(text, allow_private=allow_private)
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise BadProvider(f"{text!r}: an address with a zone is possible only on this machine's own network")
    if not allow_private and not is_public(address):
        raise BadProvider(not_public(text, str(address)))
    return str(address)


def _read_name(text: str, *, allow_private: bool) -> str:
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise BadProvider(f"{text!r} is not a host name") from error
    if name != text.lower() and _is_address(name):
        return _read_host(name, allow_private=allow_private)
    if not _NAME.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
        raise BadProvider(f"{text!r} is not a host name")
    if not allow_private and _THIS_MACHINE.fullmatch(name):
        raise BadProvider(not_public(text, "this machine"))
    return name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def not_public(host: str, where: str) -> str:
    """The sentence for a host that leads to an address which is not public."""
    return (
        f"{host} leads to {where}, which is not a public address; use --allow-private for a panel in your own network"
    )


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the public internet, also after undoing every way to dress one up.

    `is_global` alone lets IPv4 addresses through inside NAT64, 6to4 and mapped ones, and counts site-local addresses
    and some multicast ranges as global. So for IPv6 it is the other way round: nothing
    but global unicast is let through, and NAT64 and mapped addresses by what they carry.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved or _is_nobodys(address))
    inner = _embedded(address)
    if inner is not None and not is_public(inner):
        return False
    if address.ipv4_mapped is not None or address in _NAT64:
        return True
    return address in _GLOBAL_UNICAST and address.is_global and not _is_nobodys(address)


def _is_nobodys(address: Address) -> bool:
    return any(address in network for network in _NOBODYS if network.version == address.version)


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one carries, or None."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or (int(address) >> 32) & _LOWEST_32_BITS in _ISATAP:
        return ipaddress.IPv4Address(int(address) & _LOWEST_32_BITS)
    return None
