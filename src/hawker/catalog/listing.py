"""The `services` answer of a price list as ready bytes. Pure."""

import gzip
import hashlib
from collections.abc import Iterable

from hawker.catalog.prices import PriceList
from hawker.catalog.snapshot import SoldService, rate_at
from hawker.protocol.replies import OfferedService, services_reply

_GZIP_LEVEL = 6


def write_listing(services: Iterable[SoldService], prices: PriceList) -> bytes:
    """All services with the rates of this price list, as API v2 shows them."""
    return services_reply(
        OfferedService(
            service=service.id,
            name=service.name,
            type=service.type.name,
            category=service.category,
            rate=rate_at(service, prices),
            minimum=service.minimum,
            maximum=service.maximum,
            refill=service.refill,
            cancel=service.cancel,
            dripfeed=service.dripfeed,
        )
        for service in services
    )


def tag_of(listing: bytes) -> str:
    """What stands for these bytes: the same in every process, and as long as nothing in the list has changed."""
    return hashlib.blake2b(listing, digest_size=12).hexdigest()


def pack(listing: bytes) -> bytes:
    """The bytes in gzip, the same for the same bytes."""
    return gzip.compress(listing, _GZIP_LEVEL, mtime=0)


def unpack(packed: bytes) -> bytes:
    """The bytes that were packed."""
    return gzip.decompress(packed)
