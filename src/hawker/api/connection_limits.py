"""Limits on connections: how many from one address, and how long a stalled one stays open."""

import asyncio
import resource
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from hawker.core.addresses import Network, caller_of, is_within, read_address

MOST_SHARE = 2
"""One address may have half of the connections that the system allows this process, whatever the setting says."""

log = structlog.get_logger(__name__)


_ENOUGH = 65_536


def raise_file_limit() -> int:
    """Raise the limit on open files, and so on connections, as far as the system allows; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = [limit for limit in (hard, _ENOUGH) if limit != resource.RLIM_INFINITY]
    if soft != resource.RLIM_INFINITY and soft < min(limits):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits), hard))
        return min(limits)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


class LimitedConnection(Protocol):
    """What is asked of a connection here."""

    client: tuple[str, int] | None

    def pending_input(self) -> object | None:
        """What the client has to do next (send a head or the rest of a body, read its answer); equal as long as it is
        the same. None where it is our turn, or between two requests."""
        ...

    def close_stalled(self) -> None:
        """Close the connection, whatever it is doing."""
        ...


class ConnectionLimits:
    """Counts connections by client address, and closes stalled ones.

    A request costs nothing here: an address is counted when it connects, and all connections are checked a few times
    within the time that a request may take. So a client may get up to a quarter of that time more.
    """

    def __init__(self, *, seconds: float, most: int, places: int, trusted: Sequence[Network]) -> None:
        """`seconds` to send a request or to read an answer; at most so many connections from each address that is not
        `trusted` (0 for no limit); `places` is how many files this process may have open."""
        self._check_every = min(seconds / 4, 5.0)
        self._checks = max(round(seconds / self._check_every), 1)
        self._most = min(most, places // MOST_SHARE) if most else 0
        self._trusted = trusted
        self._counts: Counter[object] = Counter()
        self._owed: dict[LimitedConnection, tuple[object, int]] = {}
        self._crowded: set[object] = set()

    def admit(self, connection: LimitedConnection) -> bool:
        """Count a new connection; False where its address has as many as it may."""
        caller = self._caller(connection)
        if caller is not None and self._counts[caller] >= self._most:
            if caller not in self._crowded:
                self._crowded.add(caller)
                log.warning("too many connections", address=str(caller), most=self._most)
            return False
        self._owed[connection] = (None, 0)
        if caller is not None:
            self._counts[caller] += 1
        return True

    def release(self, connection: LimitedConnection) -> None:
        """A connection has ended."""
        if self._owed.pop(connection, None) is None:
            return
        caller = self._caller(connection)
        if caller is not None:
            self._counts[caller] -= 1
            if not self._counts[caller]:
                del self._counts[caller]
                self._crowded.discard(caller)

    async def keep_checking(self) -> None:
        """Close stalled connections, until cancelled."""
        while True:
            await asyncio.sleep(self._check_every)
            self.check()

    def check(self) -> None:
        """Check all connections once: close those whose client had the same thing to do for too long."""
        for connection, (owed, checks) in list(self._owed.items()):
            owes = connection.pending_input()
            if owes is None or owes != owed:
                self._owed[connection] = (owes, 0)
            elif checks + 1 >= self._checks:
                connection.close_stalled()
            else:
                self._owed[connection] = (owed, checks + 1)

    def _caller(self, connection: LimitedConnection) -> object | None:
        """The address that is counted; None for connections that are not: of trusted proxies, or without an address."""
        address = read_address(connection.client[0]) if self._most and connection.client is not None else None
        return None if address is None or is_within(address, self._trusted) else caller_of(address)
