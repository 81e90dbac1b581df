"""What falls due as time goes: refunds, the runs of a drip-feed, the orders of a subscription.

Whoever asks the panel anything first has it catch up, so to every observer things happened at
their own time, although nothing ever runs in the background.
"""

from heapq import heappop, heappush
from urllib.parse import quote

from hawker.sandbox.catalogue import SERVICES
from hawker.sandbox.chance import lane, roll
from hawker.sandbox.delivery import FINAL, delivery_at, ends_at, refund_due
from hawker.sandbox.entries import Refunded, SandboxOrder, SandboxSubscription
from hawker.sandbox.fates import left_by, read_wish
from hawker.sandbox.panel import Panel
from hawker.sandbox.timeline import HOUR, MINUTE, Moment

_POST_GAP, _POST_JITTER = HOUR, 50 * MINUTE


def catch_up(panel: Panel, moment: Moment) -> None:
    """Do all that fell due up to this moment, in the order of time."""
    while panel.due and panel.due[0][0] <= moment.tick:
        tick, order_id = heappop(panel.due)
        order = panel.orders[order_id]
        if order.subscription is not None:
            _order_for_post(panel, order, order.subscription, tick, moment)
        elif order.runs:
            _start_run(panel, order, tick, moment)
        else:
            _refund(panel, order, tick)


def schedule(panel: Panel, order: SandboxOrder) -> None:
    """Note when to look at an order next; also after a cancel, and for each order read from the journal."""
    tick = _next_due(panel, order)
    if tick is not None:
        heappush(panel.due, (tick, order.id))


def wake_waiting(panel: Panel, key: str, tick: int) -> None:
    """Let the subscriptions that waited for funds of this key try again."""
    for order_id in sorted(panel.waiting.pop(key, ())):
        heappush(panel.due, (tick, order_id))


def _next_due(panel: Panel, order: SandboxOrder) -> int | None:
    made = len(panel.children.get(order.id, ()))
    if order.subscription is not None:
        return next_post_tick(order, order.subscription, made)
    if order.runs:
        return _next_run_tick(order, made)
    refund_to_come = order.refunded_micros == 0 and (order.left > 0 or order.cancel_tick is not None)
    return ends_at(order) if refund_to_come else None


# --- refunds ---------------------------------------------------------------------------------------


def _refund(panel: Panel, order: SandboxOrder, tick: int) -> None:
    """Pay back what an ended order did not deliver, once."""
    delivery = delivery_at(order, tick)
    if order.refunded_micros or delivery.status not in FINAL:
        return
    micros = refund_due(order, delivery.remains)
    if micros:
        panel.record(Refunded(order.id, micros))
        wake_waiting(panel, order.key, tick)


# --- drip-feed -------------------------------------------------------------------------------------


def _next_run_tick(order: SandboxOrder, made: int) -> int | None:
    cancel = order.cancel_tick
    if made == order.runs or (cancel is not None and order.refunded_micros):
        return None
    tick = order.tick + made * order.interval_minutes * MINUTE
    return tick if cancel is None else min(tick, cancel)


def _start_run(panel: Panel, order: SandboxOrder, tick: int, moment: Moment) -> None:
    """Make the run that is due; after a cancel, pay back the runs that will never be."""
    made = len(panel.children.get(order.id, ()))
    if _next_run_tick(order, made) != tick:
        return  # An entry of the heap from before the cancel.
    if order.cancel_tick is not None and order.cancel_tick <= tick:
        started = sum(run.charge_micros for run in panel.children_of(order))
        panel.record(Refunded(order.id, order.charge_micros - started))
        wake_waiting(panel, order.key, tick)
        return
    run = _run(panel, order, made, Moment(moment.now, tick))
    panel.record(run)
    schedule(panel, run)
    schedule(panel, order)


def _run(panel: Panel, order: SandboxOrder, made: int, moment: Moment) -> SandboxOrder:
    """The next run: it shares its parent's fate, and its charge is the next slice of the parent's."""
    quantity = order.quantity // order.runs
    service = SERVICES[order.service]
    before = service.charge_micros(quantity * made) if made else 0
    return SandboxOrder(
        id=panel.next_order_id,
        key=order.key,
        service=order.service,
        link=order.link,
        quantity=quantity,
        charge_micros=service.charge_micros(quantity * (made + 1)) - before,
        tick=moment.tick,
        at=moment.now,
        roll=roll(order.roll, "run", made),
        fate=order.fate,
        left=order.left // order.runs,
        parent=order.id,
        cancel_tick=order.cancel_tick,
    )


# --- subscriptions ---------------------------------------------------------------------------------


def next_post_tick(order: SandboxOrder, subscription: SandboxSubscription, made: int) -> int | None:
    """When the next post's order is due, of which `made` were made; None when there will be no more.

    Posts that exist already are ordered for at once; a new one appears about every hour.
    """
    new = made - subscription.old_posts
    if new < 0:
        tick = order.tick
    elif subscription.posts is not None and new >= subscription.posts:
        return None
    else:
        jitter = lane(roll(order.roll, "post", new), 0, _POST_JITTER)
        tick = order.tick + new * _POST_GAP + jitter + subscription.delay_minutes * MINUTE
    ends = [end for end in (order.cancel_tick, subscription.expires_tick) if end is not None]
    return None if ends and tick >= min(ends) else tick


def _order_for_post(
    panel: Panel, order: SandboxOrder, subscription: SandboxSubscription, tick: int, moment: Moment
) -> None:
    """Make the order for the post that is due, or have the subscription wait for funds."""
    made = len(panel.children.get(order.id, ()))
    due = next_post_tick(order, subscription, made)
    if due is None or due > tick:
        return  # Canceled meanwhile, or an entry of the heap that funds have overtaken.
    child = _post_order(panel, order, subscription, made, Moment(moment.now, tick))
    if panel.balances[order.key] < child.charge_micros:
        panel.waiting.setdefault(order.key, set()).add(order.id)
        return
    panel.record(child)
    schedule(panel, child)
    schedule(panel, order)


def _post_order(
    panel: Panel, order: SandboxOrder, subscription: SandboxSubscription, made: int, moment: Moment
) -> SandboxOrder:
    """The order for one post: of a quantity between the subscription's bounds, with a fate of its own."""
    rolled = roll(order.roll, "order", made)
    quantity = subscription.minimum + lane(rolled, 3, subscription.maximum - subscription.minimum + 1)
    wish = read_wish(subscription.username)
    fate = wish.fate or panel.config.mix.draw(rolled)
    return SandboxOrder(
        id=panel.next_order_id,
        key=order.key,
        service=order.service,
        link=f"https://posts.example/{quote(subscription.username, safe='')}/{made + 1}",
        quantity=quantity,
        charge_micros=SERVICES[order.service].charge_micros(quantity),
        tick=moment.tick,
        at=moment.now,
        roll=rolled,
        fate=fate,
        left=left_by(fate, wish, quantity, rolled),
        parent=order.id,
    )
