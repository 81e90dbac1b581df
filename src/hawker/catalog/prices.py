"""What a customer pays where it is not what everybody pays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from hawker.catalog.rules import adjusted

Terms: TypeAlias = tuple[int, tuple[tuple[int, str], ...]]
"""A percentage in hundredths, and agreed rates by service, in the order of the services' numbers."""


@dataclass(frozen=True, eq=False, slots=True)
class PriceList:
    """One way to be sold to. Customers with the same terms share one, so it is told apart by identity."""

    terms: Terms
    _agreed: Mapping[int, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_agreed", dict(self.terms[1]))

    def rate_of(self, service_id: int, rate: str) -> str:
        """What 1,000 of this service cost here, where everybody pays `rate`: the agreed rate, else the percentage."""
        agreed = self._agreed.get(service_id)
        return adjusted(rate, self.terms[0]) if agreed is None else agreed


EVERYBODYS = PriceList((0, ()))
"""The catalogue's own rates."""


def read_price_lists(
    percentages: Iterable[tuple[int, int]],
    agreed: Iterable[tuple[int, int, str]],
    *,
    before: Iterable[PriceList] = (),
) -> dict[int, PriceList]:
    """The price list of each account that has one, from the rows of the two queries of that name.

    Lists that were there `before` are kept as they are: what was made ready for one stays good.
    """
    known = {prices.terms: prices for prices in (EVERYBODYS, *before)}
    percent = dict(percentages)
    rates = {account: tuple(row[1:] for row in rows) for account, rows in groupby(agreed, key=itemgetter(0))}
    lists = {}
    for account in percent.keys() | rates.keys():
        terms = (percent.get(account, 0), rates.get(account, ()))
        lists[account] = known.get(terms) or known.setdefault(terms, PriceList(terms))
    return lists
