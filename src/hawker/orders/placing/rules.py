"""What an order costs its customer and us, and what a service takes. Pure."""

from dataclasses import dataclass

from hawker.catalog.rules import RATE_UNITS
from hawker.catalog.snapshot import SoldService
from hawker.core.money import CUSTOMER_STEP_MICROS, MICROS_PER_UNIT
from hawker.protocol.errors import (
    IncorrectLink,
    IncorrectParameter,
    IncorrectService,
    QuantityAbove,
    QuantityBelow,
)
from hawker.protocol.params import ParamKind
from hawker.protocol.service_types import OrderForm, QuantityRule


def charge_for(rate_units: int, quantity: int, *, package: bool, free: bool) -> int:
    """What an order costs its customer, in micros: ceil(rate × quantity / 1000) to five decimals.

    A package costs its rate once. Never 0 unless the service is marked free: a rate so small that the
    charge would vanish still costs one step.
    """
    if free:
        return 0
    divisor = RATE_UNITS // (MICROS_PER_UNIT // CUSTOMER_STEP_MICROS) * (1 if package else 1000)
    steps = -(-rate_units * quantity // divisor)
    return max(steps, 1) * CUSTOMER_STEP_MICROS


def cost_for(cost_rate_units: int, quantity: int, *, package: bool) -> int:
    """What an order costs us upstream, in micros of the provider's currency, rounded up to a micro.

    Clamped to what the column holds: an absurd price upstream is still only too expensive.
    """
    micros = -(-cost_rate_units * quantity // (RATE_UNITS // MICROS_PER_UNIT * (1 if package else 1000)))
    return min(micros, 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Quote:
    """An order that could be placed: read, within the service's limits, and priced.

    Of a drip-feed, quantity and charge are those of all runs; it has no cost, its runs have.
    """

    service: SoldService
    form: OrderForm
    quantity: int
    charge_micros: int
    cost_micros: int | None


def quote(service: SoldService | None, form_of: "OrderForm | None") -> Quote:
    """Check the form against the service and price it.

    Raises the refusal of the first rule it breaks: unknown service, drip-feed, link or quantity.
    """
    if service is None or form_of is None or form_of.quantity is None:
        raise IncorrectService
    if form_of.runs is not None and not service.dripfeed:
        raise IncorrectParameter(name="runs")
    check_links(service, form_of)
    # The minimum is that of each order upstream, so of each run; the maximum limits all of them together.
    quantity = form_of.quantity * (form_of.runs or 1)
    package = service.type.quantity is QuantityRule.FIXED
    if not package and form_of.quantity < service.minimum:
        raise QuantityBelow(minimum=service.minimum)
    if not package and quantity > service.maximum:
        raise QuantityAbove(maximum=service.maximum)
    cost = None
    if service.route is not None and form_of.runs is None:
        cost = cost_for(service.route.cost_rate_units, quantity, package=package)
    return Quote(
        service=service,
        form=form_of,
        quantity=quantity,
        charge_micros=charge_for(service.rate_units, quantity, package=package, free=service.free),
        cost_micros=cost,
    )


def allowed_cost(charge_micros: int, *, margin_percent: int, is_run: bool) -> int:
    """The most that an order may cost, in micros, so that the charge covers it and the margin on top, rounded down.

    The share of a run may lie a step under its exact price (share_of_run), which is no loss: the run after it has it.
    """
    charge = charge_micros + (CUSTOMER_STEP_MICROS if is_run else 0)
    return charge * 100 // (100 + margin_percent)


def check_links(service: SoldService, form: OrderForm) -> None:
    """Raise the refusal of the first parameter that holds a link this service does not take.

    `link` must be of the service's kind, and nothing that names a page or a person may match a pattern that the
    operator forbids. Where the person takes the place of the link (Subscriptions), that is the user name.
    """
    if form.link and not service.links.takes(form.link):
        raise IncorrectLink
    if service.forbidden:
        for param in service.type.params:
            if param.kind is not ParamKind.LINK and param.name != "username":
                continue
            value = form.link if param.name == "link" else form.extra.get(param.name)
            if isinstance(value, str) and service.forbidden.match(value):
                raise param.refusal()
