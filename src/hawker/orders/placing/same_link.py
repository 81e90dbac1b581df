"""The same-link guard: services that take a second order for a link only when the first has ended.

Whose order it is does not matter. A subscription stands for its user name. What counts as the same link is
catalog/links.py's to say; kept is its digest, in a narrow table whose primary key refuses a second.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from hawker.catalog.actions import change_services
from hawker.catalog.links import comparable_link
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.placing import same_link_queries as queries
from hawker.orders.placing.rules import Quote

_TAKEN_IN_AT_ONCE = 1_000
_ABOVE_ALL = 2**63 - 1

_Key = tuple[int, str]


@dataclass(slots=True)
class LinkGuard:
    """Which guarded links have an unfinished order, the ones that this batch places included."""

    _active: set[_Key] = field(default_factory=set)
    _fresh: list[tuple[int, str, int]] = field(default_factory=list)

    def admits(self, quoted: Quote) -> bool:
        """Whether nothing stands in the way of an order for this link now."""
        return not quoted.service.one_active_per_link or _key(quoted) not in self._active

    def keep(self, quoted: Quote, order_id: int) -> None:
        """This order is placed: until it ends there is no other for its link."""
        if quoted.service.one_active_per_link:
            key = _key(quoted)
            self._active.add(key)
            self._fresh.append((*key, order_id))

    def write(self, cursor: Cursor) -> None:
        """Write what was kept, in the transaction that places the orders."""
        if self._fresh:
            ask(cursor, queries.INSERT_ACTIVE, tuple(map(list, zip(*self._fresh, strict=True))))


def open_guard(cursor: Cursor, quotes: Iterable[object]) -> LinkGuard:
    """Look at the links of those quotes whose service guards them; no statement where there is none.

    Nobody else places for these links until the transaction ends. The accounts must be locked before, so that who
    waits here holds up nobody that it waits for.
    """
    keys = {_key(quoted) for quoted in quotes if isinstance(quoted, Quote) and quoted.service.one_active_per_link}
    if not keys:
        return LinkGuard()
    ask(cursor, queries.LOCK_LINKS, (sorted({_lock_number(key) for key in keys}),))
    return LinkGuard(set(ask(cursor, queries.FIND_ACTIVE, tuple(map(list, zip(*keys, strict=True))))))


def change_guarded_services(service_ids: Sequence[int], changes: Mapping[str, object]) -> None:
    """As `change_services`, for changes that may switch the guard on: the services' unfinished orders are then taken
    in, so that the guard knows of them when this returns (or, within a larger transaction, when that is committed).

    Of several unfinished orders for one link the newest counts. Called again it takes in what was missed by
    a call that was cut off. Raises what `change_services` raises, and Unavailable.
    """
    change_services(service_ids, changes)
    if changes.get("one_active_per_link"):
        # Not before the COMMIT, also where the change is a part of a larger transaction.
        transaction.on_commit(lambda: _take_all_in(service_ids))


def _take_all_in(service_ids: Sequence[int]) -> None:
    below: int | None = _ABOVE_ALL
    while below is not None:
        below = _take_in(service_ids, below)


def _take_in(service_ids: Sequence[int], below: int) -> int | None:
    """Take in some unfinished orders, newest first; answers where to go on, or None at the end.

    The change is committed, and its COMMIT has waited for the batches that did not know of it: whatever is
    placed from now on is written down by its own batch.
    """

    def work(cursor: Cursor) -> int | None:
        rows = ask(cursor, queries.LOCK_OPEN, (list(service_ids), below, _TAKEN_IN_AT_ONCE)).fetchall()
        if not rows:
            return None
        taken = [
            (service_id, _digest(link or str(json.loads(extra or "{}").get("username", ""))), order_id)
            for order_id, service_id, link, extra in reversed(rows)
        ]
        ask(cursor, queries.TAKE_IN, tuple(map(list, zip(*taken, strict=True))))
        return int(rows[0][0])

    return in_transaction(work)


def _key(quoted: Quote) -> _Key:
    return quoted.service.id, _digest(quoted.form.link or str(quoted.form.extra.get("username", "")))


def _digest(link: str) -> str:
    return hashlib.blake2b(comparable_link(link).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _lock_number(key: _Key) -> int:
    """A number of 32 bits for the key's lock. Two keys of one number only wait for each other without need."""
    folded = hashlib.blake2b(f"{key[0]}:{key[1]}".encode(), digest_size=4).digest()
    return int.from_bytes(folded, signed=True)
