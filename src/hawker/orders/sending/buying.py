"""Where an order can be bought: the routes of its service, what they cost, and which of them must not be used."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hawker.catalog.rules import RATE_UNITS, read_rate
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask
from hawker.orders.models import HoldKind
from hawker.orders.placing.rules import allowed_cost, cost_for
from hawker.orders.sending import failover_queries, queries
from hawker.orders.transitions.actions import Hold
from hawker.protocol.service_types import QuantityRule, find_type
from hawker.protocol.upstream import Reason


@dataclass(frozen=True, slots=True)
class PurchaseRoute:
    """Where a service can be bought, best first; the exchange rate turns its cost into our currency."""

    provider_id: int
    upstream_service: int
    cost_rate_units: int
    exchange_rate_units: int


@dataclass(frozen=True, slots=True)
class Bargain:
    """What an order brings in: the charge that its cost is held against.

    `is_paid_run`: a run of a drip-feed that is paid for. `at_a_loss`: staff had it sent whatever it costs.
    """

    type_name: str
    quantity: int
    charge_micros: int
    is_paid_run: bool
    at_a_loss: bool


def read_routes(cursor: Cursor, service_ids: set[int]) -> Mapping[int, list[PurchaseRoute]]:
    """The routes of each service over enabled providers, best first."""
    routes: defaultdict[int, list[PurchaseRoute]] = defaultdict(list)
    for service_id, provider_id, upstream_service, cost_rate, exchange_rate in ask(
        cursor, queries.READ_ROUTES, (list(service_ids),)
    ):
        routes[service_id].append(
            PurchaseRoute(provider_id, upstream_service, read_rate(cost_rate), read_rate(exchange_rate))
        )
    return routes


def cost_at(route: PurchaseRoute, type_name: str, quantity: int) -> int:
    """The expected cost there in micros of the panel's own currency, rounded up."""
    upstream = charge_at(route, type_name, quantity)
    return min(-(-upstream * route.exchange_rate_units // RATE_UNITS), 2**63 - 1)


def charge_at(route: PurchaseRoute, type_name: str, quantity: int) -> int:
    """What we expect to be charged there, in micros of the provider's currency, rounded up."""
    service_type = find_type(type_name)
    if service_type is not None and service_type.quantity is QuantityRule.PER_POST:
        return 0  # a subscription costs nothing itself; its orders cost, one by one
    package = service_type is not None and service_type.quantity is QuantityRule.FIXED
    return cost_for(route.cost_rate_units, quantity, package=package)


def find_hold(route: PurchaseRoute | None, bargain: Bargain) -> Hold | None:
    """Why an order must not be sent this way; None where it may be."""
    if route is None:
        return Hold(HoldKind.NO_ROUTE, "no route to this provider")
    # A free service is a gift by decision; every other order must pay for itself and for the operator's margin.
    if bargain.at_a_loss or not (bargain.charge_micros or bargain.is_paid_run):
        return None
    cost = cost_at(route, bargain.type_name, bargain.quantity)
    percent = settings().minimum_margin_percent
    if cost <= allowed_cost(bargain.charge_micros, margin_percent=percent, is_run=bargain.is_paid_run):
        return None
    if cost > allowed_cost(bargain.charge_micros, margin_percent=0, is_run=bargain.is_paid_run):
        return Hold(HoldKind.COST_ABOVE_CHARGE, "cost above the charge")
    return Hold(HoldKind.MARGIN, f"margin below {percent} %")


def read_refusals(cursor: Cursor, order_ids: Sequence[int]) -> Mapping[int, Collection[int]]:
    """The providers that will not take each order; not those that could only not take it at the time."""
    refusals: defaultdict[int, set[int]] = defaultdict(set)
    for order_id, provider_id in ask(cursor, failover_queries.FIND_REFUSALS, (list(order_ids), Reason.OTHER.value)):
        refusals[order_id].add(provider_id)
    return refusals
