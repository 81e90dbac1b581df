"""`add`: from the parameters to an order, charged to the key's balance, or the refusal."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

from hawker.core.errors import Refusal
from hawker.protocol.errors import IncorrectParameter, IncorrectService, QuantityAbove, QuantityBelow
from hawker.protocol.params import Value, read_whole, write_date
from hawker.protocol.service_types import OrderForm, QuantityRule, read_order_form
from hawker.sandbox.catalogue import SERVICES, SandboxService
from hawker.sandbox.chance import roll
from hawker.sandbox.due import schedule
from hawker.sandbox.entries import SandboxOrder, SandboxSubscription
from hawker.sandbox.fates import WireFate, left_by, read_wish
from hawker.sandbox.panel import Panel
from hawker.sandbox.timeline import SECOND, Moment


class SandboxFundsTooLow(Refusal):
    """The balance of the key does not cover the charge."""

    code: ClassVar[str] = "not_enough_funds"


def place(panel: Panel, key: str, fields: Mapping[str, str], moment: Moment) -> SandboxOrder:
    """Make the order that `fields` ask for. Raises the Refusal of the first rule broken; then nothing has changed."""
    service = SERVICES.get(read_whole(fields.get("service", "")) or 0)
    if service is None:
        raise IncorrectService
    form = read_order_form(service.type, fields)
    if service.type.quantity is QuantityRule.PER_POST:
        order = _subscription(panel, key, service, form, moment)
    else:
        order = _plain(panel, key, service, form, moment)
    order.marker = fields.get("request_id", "")
    panel.record(order)
    schedule(panel, order)
    return order


def _plain(panel: Panel, key: str, service: SandboxService, form: OrderForm, moment: Moment) -> SandboxOrder:
    quantity, runs = form.quantity or 0, form.runs or 0
    if runs and not service.offered.dripfeed:
        raise IncorrectParameter(name="runs")
    whole = quantity * max(runs, 1)
    _check_bounds(service, quantity, whole)
    charge_micros = service.charge_micros(whole)
    if panel.balances[key] < charge_micros:
        raise SandboxFundsTooLow
    rolled = roll(panel.config.seed, "order", panel.next_order_id)
    wish = read_wish(form.link)
    fate = wish.fate or panel.config.mix.draw(rolled)
    return SandboxOrder(
        id=panel.next_order_id,
        key=key,
        service=service.offered.service,
        link=form.link,
        quantity=whole,
        charge_micros=charge_micros,
        tick=moment.tick,
        at=moment.now,
        roll=rolled,
        fate=fate,
        left=left_by(fate, wish, quantity, rolled) * max(runs, 1),
        runs=runs,
        interval_minutes=form.interval_minutes or 0,
    )


def _check_bounds(service: SandboxService, least: int, most: int) -> None:
    if service.type.quantity is QuantityRule.FIXED:
        return
    if least < service.offered.minimum:
        raise QuantityBelow(minimum=service.offered.minimum)
    if most > service.offered.maximum:
        raise QuantityAbove(maximum=service.offered.maximum)


def _subscription(panel: Panel, key: str, service: SandboxService, form: OrderForm, moment: Moment) -> SandboxOrder:
    """A subscription costs nothing itself, but is not taken without the funds for its smallest order."""
    subscription = _read_subscription(form, moment)
    _check_bounds(service, subscription.minimum, subscription.maximum)
    if panel.balances[key] < service.charge_micros(subscription.minimum):
        raise SandboxFundsTooLow
    return SandboxOrder(
        id=panel.next_order_id,
        key=key,
        service=service.offered.service,
        link="",
        quantity=0,
        charge_micros=0,
        tick=moment.tick,
        at=moment.now,
        roll=roll(panel.config.seed, "order", panel.next_order_id),
        fate=WireFate.COMPLETED,
        subscription=subscription,
    )


def _read_subscription(form: OrderForm, moment: Moment) -> SandboxSubscription:
    asked, expiry = form.extra, form.extra.get("expiry")
    return SandboxSubscription(
        username=str(asked["username"]),
        minimum=_whole(asked["min"]),
        maximum=_whole(asked["max"]),
        delay_minutes=_whole(asked["delay"]),
        posts=_whole(asked["posts"]) if "posts" in asked else None,
        old_posts=_whole(asked.get("old_posts", 0)),
        expiry=write_date(expiry) if isinstance(expiry, date) else "",
        expires_tick=_tick_after(expiry, moment) if isinstance(expiry, date) else None,
    )


def _tick_after(day: date, moment: Moment) -> int:
    """The tick at which `day` is over (UTC), counted in the sandbox's own seconds. Raises for a day gone by."""
    end = datetime.combine(day, time.min, tzinfo=UTC) + timedelta(days=1)
    if end <= moment.now:
        raise IncorrectParameter(name="expiry")
    return moment.tick + int((end - moment.now).total_seconds() * SECOND)


def _whole(value: Value) -> int:
    assert isinstance(value, int), value
    return value
