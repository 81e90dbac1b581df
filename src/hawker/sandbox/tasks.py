"""`cancel` and `refill`: what is asked of an order that exists already."""

from hawker.protocol.statuses import OrderStatus, RefillStatus
from hawker.sandbox.catalogue import SERVICES
from hawker.sandbox.chance import hits, lane, roll
from hawker.sandbox.delivery import ends_at, refill_status_at
from hawker.sandbox.due import schedule
from hawker.sandbox.entries import CancelAsked, SandboxOrder, SandboxRefill
from hawker.sandbox.fates import read_wish
from hawker.sandbox.panel import Panel
from hawker.sandbox.timeline import DAY, HOUR, MINUTE, Moment
from hawker.sandbox.views import is_finished, view_of

_CANCEL_TAKES = MINUTE
_REFILLABLE = (OrderStatus.COMPLETED, OrderStatus.PARTIAL)


def ask_cancel(panel: Panel, order: SandboxOrder, moment: Moment) -> str | None:
    """Ask for a cancel. None when it was taken (the outcome shows in the status), else the code of the error text.

    It takes effect one to three minutes later: Canceled, or Partial where something was delivered by then.
    """
    if not SERVICES[order.service].offered.cancel:
        return "cancel_disabled"
    if is_finished(view_of(panel, order, moment.tick)):
        return "order_completed"
    if order.cancel_tick is not None:
        return None
    rolled = roll(panel.config.seed, "cancel", order.id)
    answered = read_wish(order.link).cancel or _answer_to_cancel(panel, rolled)
    if answered == "refused":
        return "cancel_disabled"
    if answered == "ignored":
        return None
    at_once = order.subscription is not None
    stops = moment.tick + (0 if at_once else _CANCEL_TAKES + lane(rolled, 0, 2 * MINUTE))
    for stopped in [order, *(panel.children_of(order) if order.runs else ())]:
        if not is_finished(view_of(panel, stopped, moment.tick)):
            panel.record(CancelAsked(stopped.id, stops))
            schedule(panel, stopped)
    return None


def _answer_to_cancel(panel: Panel, rolled: int) -> str:
    if hits(rolled, panel.config.cancel_refused):
        return "refused"
    return "ignored" if hits(rolled, panel.config.cancel_refused + panel.config.cancel_ignored) else "taken"


def ask_refill(panel: Panel, order: SandboxOrder, moment: Moment) -> int | str:
    """Ask for a refill. The new refill's id, or the code of the error text."""
    if not SERVICES[order.service].offered.refill or order.subscription is not None:
        return "refill_disabled"
    if view_of(panel, order, moment.tick).status not in _REFILLABLE:
        return "order_not_completed"
    last = panel.refills.get(panel.last_refill.get(order.id, 0))
    if last is not None and refill_status_at(last, moment.tick) in (RefillStatus.PENDING, RefillStatus.IN_PROGRESS):
        return "refill_running"
    ended = _ended_tick(panel, order)
    if moment.tick - max(ended, last.tick if last else ended) < panel.config.refill_wait_hours * HOUR:
        return "refill_too_early"
    if panel.config.refill_days is not None and moment.tick - ended > panel.config.refill_days * DAY:
        return "refill_over"
    return _open_refill(panel, order, moment)


def _ended_tick(panel: Panel, order: SandboxOrder) -> int:
    return max(map(ends_at, panel.children_of(order))) if order.runs else ends_at(order)


def _open_refill(panel: Panel, order: SandboxOrder, moment: Moment) -> int:
    rolled = roll(panel.config.seed, "refill", panel.next_refill_id)
    wished = read_wish(order.link).refill_rejected
    rejected = hits(rolled, panel.config.refill_rejected) if wished is None else wished
    refill = SandboxRefill(id=panel.next_refill_id, order=order.id, tick=moment.tick, rejected=rejected)
    panel.record(refill)
    return refill.id
