"""How much of everything: customers, services, orders, seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """One run's size. The defaults are issue 5's; --quick keeps the shape and shrinks the rest."""

    customers: int = 1_000
    services: int = 5_000
    orders: int = 200_000
    bulk_from: int = 1_000_000
    """From so many orders on they are written in bulk (bulk.py): through the triggers it would take minutes."""
    seconds: int = 5
    """Of load in each measured run; the generators take whole ones."""
    warm_seconds: int = 1
    """Of load before the first one, not counted: caches, prepared statements, the server's first steps."""
    runs: int = 3
    """Of each side; sides take turns, so that a neighbour's noise on the machine meets all of them."""
    extra_turns: int = 2
    """To repeat disturbed ones, for each work."""
    repeat_until_seconds: float = 330.0
    """After so long nothing is repeated any more: on a machine that is never quiet the whole would take too long."""
    connections: int = 64
    serve_processes: int = 1
    """As `hawker up` starts them."""
    slope_seconds: int = 20
    """Of load while memory is watched; `make bench-memory` takes ten minutes."""
    compared: bool = True
    """Whether the plain Django view is filled beside the panel."""
    limit_seconds: float = 900.0
    """The whole run ends here, whatever hangs."""


QUICK = Plan(customers=1_000, services=5_000, orders=100_000, seconds=1, runs=1, extra_turns=0, limit_seconds=180.0)

FEW_ORDERS, MANY_ORDERS = 10_000, 5_000_000
"""Present in the two panels that "grown" compares."""
