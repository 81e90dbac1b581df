"""Who is connected, and for how long one waits for them: slow and idle clients hold no one else's place."""

import asyncio
import resource
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog

from hawker.core.addresses import Network, caller_of, is_within, read_address

MOST_SHARE = 2
"""One address may have half of the places that the system gives this process, whatever the setting says."""

log = structlog.get_logger(__name__)


_ENOUGH = 65_536


def raise_file_limit() -> int:
    """How many files, and so connections, this process may have open: as many as the system lets it ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = [limit for limit in (hard, _ENOUGH) if limit != resource.RLIM_INFINITY]
    if soft != resource.RLIM_INFINITY and soft < min(limits):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits), hard))
        return min(limits)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


class LimitedConnection(Protocol):
    """A connection, as far as patience with it goes."""

    client: tuple[str, int] | None

    def pending_input(self) -> object | None:
        """What the client owes us (a head, the rest of a body, to read its answer), the same as long as it is the
        same; None where it owes nothing, or is between two requests."""
        ...

    def close_stalled(self) -> None:
        """Close the connection, whatever it is in the middle of."""
        ...


class ConnectionLimits:
    """Counts connections by address, and turns out those that let us wait.

    Nothing here is done for a request: an address is counted when it connects, and a look at all connections is taken
    a few times in the time that a request may take. So a client may get a quarter of that time more.
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
        """Turn out, for ever, whoever has owed the same thing for too long."""
        while True:
            await asyncio.sleep(self._check_every)
            self.check()

    def check(self) -> None:
        """One look at all connections."""
        for connection, (owed, checks) in list(self._owed.items()):
            owes = connection.pending_input()
            if owes is None or owes != owed:
                self._owed[connection] = (owes, 0)
            elif checks + 1 >= self._checks:
                connection.close_stalled()
            else:
                self._owed[connection] = (owed, checks + 1)

    def _caller(self, connection: LimitedConnection) -> object | None:
        """Who is counted; None for connections that count for nobody: of trusted proxies, or without an address."""
        address = read_address(connection.client[0]) if self._most and connection.client is not None else None
        return None if address is None or is_within(address, self._trusted) else caller_of(address)
