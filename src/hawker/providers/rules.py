"""Where we are willing to connect, and what may be kept of an answer. Pure."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote_plus, urlsplit

from hawker.providers.errors import BadProvider

MAX_URL = 500
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOWEST_32_BITS = 0xFFFFFFFF


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
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadProvider(f"{text!r} is not an address such as https://panel.example/api/v2")
    if parts.username is not None or parts.fragment:
        raise BadProvider("the address must not hold a user name, password or fragment")
    if parts.scheme == "http" and not allow_private:
        raise BadProvider("the address must begin with https:// (the key travels with every call)")
    try:
        host = parts.hostname.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise BadProvider(f"{parts.hostname!r} is not a host name") from error
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    tls = parts.scheme == "https"
    return ProviderUrl(tls, host, port or (443 if tls else 80), target)


def is_public(address: Address) -> bool:
    """Whether an address is somebody's on the public internet, also after undoing every way to dress one up.

    `is_global` alone lets IPv4 addresses through inside NAT64, 6to4, Teredo and mapped ones, and counts
    some multicast ranges as global (reliability.md, Security).
    """
    inner = _embedded(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one carries, or None."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or (address in _IPV4_COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & _LOWEST_32_BITS)
    return None


def redacted(text: str, key: str) -> str:
    """The text with our key at the provider taken out, in the forms in which an answer may echo it."""
    for form in {key, quote_plus(key)}:
        if form:
            text = text.replace(form, "[key]")
    return text
