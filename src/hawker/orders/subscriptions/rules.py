"""The decisions of subscriptions: what may be asked for, how much each post gets, when they end. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from hawker.catalog.snapshot import SoldService
from hawker.core.money import CUSTOMER_STEP_MICROS
from hawker.orders.models import State
from hawker.orders.placing.rules import Quote, check_links
from hawker.orders.transitions.rules import WIRE_STATUS
from hawker.posts.rules import fill
from hawker.protocol.errors import IncorrectParameter, IncorrectService, QuantityAbove, QuantityBelow
from hawker.protocol.params import Value
from hawker.protocol.service_types import OrderForm
from hawker.protocol.statuses import OrderStatus, SubscriptionStatus
from hawker.protocol.upstream import UpstreamStatus

SUBSCRIPTIONS = "Subscriptions"


@dataclass(frozen=True, slots=True)
class SubscriptionTerms:
    """What a subscription was asked to do. `posts` None is unlimited; `address` is where a local one looks."""

    username: str
    minimum: int
    maximum: int
    posts: int | None
    old_posts: int
    delay_minutes: int
    expiry: date | None
    address: str | None


@dataclass(frozen=True, slots=True)
class SubscriptionQuote(Quote):
    """A subscription that could be placed. It costs nothing itself; its `quantity` is the most that a post gets."""

    terms: SubscriptionTerms


def quote_subscription(service: SoldService, form: OrderForm, today: date) -> SubscriptionQuote:
    """Check the form of a subscription against its service. Raises the refusal of the first rule it breaks."""
    check_links(service, form)
    terms = terms_of(service, form, today)
    return SubscriptionQuote(service, form, terms.maximum, charge_micros=0, cost_micros=0, terms=terms)


def terms_of(service: SoldService, form: OrderForm, today: date) -> SubscriptionTerms:
    """Read the form of a subscription against its service. Raises the refusal of the first rule it breaks.

    `today` is the day in UTC: an expiry before it is over already. Beside the limits of the service: one
    without any post to order for is refused, and a user name that cannot stand in the feed's address.
    """
    if service.posts is None and service.route is None:
        raise IncorrectService
    asked = form.extra
    minimum, maximum = _whole(asked["min"]), _whole(asked["max"])
    if minimum < service.minimum:
        raise QuantityBelow(minimum=service.minimum)
    if maximum > service.maximum:
        raise QuantityAbove(maximum=service.maximum)
    username = str(asked["username"])
    address = None if service.posts is None else fill(service.posts.template, username)
    if service.posts is not None and address is None:
        raise IncorrectParameter(name="username")
    old_posts = _whole(asked.get("old_posts", 0))
    if old_posts and not service.old_posts:
        raise IncorrectParameter(name="old_posts")
    posts = _whole(asked["posts"]) if "posts" in asked else None
    if posts == 0 and not old_posts:
        raise IncorrectParameter(name="posts")
    expiry = asked.get("expiry")
    if isinstance(expiry, date) and expiry < today:
        raise IncorrectParameter(name="expiry")
    return SubscriptionTerms(
        username=username,
        minimum=minimum,
        maximum=maximum,
        posts=posts,
        old_posts=old_posts,
        delay_minutes=_whole(asked["delay"]),
        expiry=expiry if isinstance(expiry, date) else None,
        address=address,
    )


def ends_at(expiry: date | None) -> datetime | None:
    """The first moment at which a subscription is over: the end of its last day, in UTC. None of one without an end."""
    if expiry is None:
        return None
    if expiry == date.max:
        return None
    return datetime.combine(expiry + timedelta(days=1), time.min, tzinfo=UTC)


def quantity_for(order_id: int, key: str, minimum: int, maximum: int) -> int:
    """How much the post gets: as good as random between both bounds, and the same whenever it is asked again.

    Drawn from a hash of subscription and post, so that work which is done again after a kill orders the same.
    """
    drawn = hashlib.blake2b(f"{order_id} {key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return minimum + int.from_bytes(drawn) % (maximum - minimum + 1)


# --- subscriptions that a provider runs --------------------------------------------------------------


_RELAYED: Mapping[SubscriptionStatus, State] = {
    SubscriptionStatus.ACTIVE: State.ACTIVE,
    SubscriptionStatus.PAUSED: State.PAUSED,
    SubscriptionStatus.COMPLETED: State.COMPLETED,
    SubscriptionStatus.EXPIRED: State.EXPIRED,
    SubscriptionStatus.CANCELED: State.CANCELED,
}


def relayed_state(status: SubscriptionStatus) -> State:
    """The state in which a subscription is when its provider tells this status."""
    return _RELAYED[status]


def relayed_quantity(answer: UpstreamStatus, minimum: int, maximum: int, cost_rate_units: int | None) -> int | None:
    """The quantity of an order that a provider made for a subscription, or None where nothing tells it for certain.

    Statuses of API v2 do not say it. What does: bounds that are equal; before anything is delivered, what remains;
    else what the provider charges for it at the rate we know, which must lead to a quantity within the bounds, to
    the last step of money. A canceled order of unknown quantity is worth nothing whatever it was: the least.
    """
    if minimum == maximum:
        return minimum
    remains = answer.remains
    nothing_yet = answer.status in (OrderStatus.PENDING, OrderStatus.CANCELED)
    if nothing_yet and remains is not None and minimum <= remains <= maximum:
        return remains
    if answer.status is OrderStatus.CANCELED:
        return minimum
    if answer.charge_micros is None or not cost_rate_units:
        return None
    undelivered = 0
    if answer.status is OrderStatus.PARTIAL:
        if remains is None or remains < 0:
            return None
        undelivered = remains
    # Whole numbers only: quantity × rate / 10⁵ is micros, and panels round to their last decimal in any direction.
    low = -(-(answer.charge_micros - CUSTOMER_STEP_MICROS + 1) * 100_000 // cost_rate_units)
    high = (answer.charge_micros + CUSTOMER_STEP_MICROS - 1) * 100_000 // cost_rate_units
    # The least that fits: of a rate so low that several do, never more is charged than was delivered.
    quantity = max(low + undelivered, minimum)
    return quantity if quantity <= min(high + undelivered, maximum) else None


_WIRE: Mapping[str, str] = {
    # Its own five words only (docs/subscriptions.md): while it is being bought upstream it waits for posts as well.
    **{state.value: SubscriptionStatus.ACTIVE.value for state in State},
    **{state.value: WIRE_STATUS[state] for state in (State.PAUSED, State.COMPLETED, State.EXPIRED, State.CANCELED)},
}


def subscription_status(state: str) -> str:
    """The status that clients read of a subscription in this state."""
    return _WIRE[state]


def _whole(value: Value) -> int:
    assert isinstance(value, int), value
    return value
