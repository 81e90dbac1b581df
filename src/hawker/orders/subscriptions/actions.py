"""Subscriptions: placed without a charge, then an order for each post, charged as it is made.

Posts come from a feed (subscriptions/feeds.py) or from the provider that runs the subscription
(subscriptions/run_by_provider.py). Both store them as waiting; only this module makes orders of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import AlertSubject, about_order
from hawker.catalog.rules import read_rate
from hawker.catalog.snapshot import Catalogue, SoldService, ask_version, catalogue_at, version_of
from hawker.core.actors import system
from hawker.core.failpoints import failpoint
from hawker.core.money import format_micros
from hawker.core.sql import Cursor, ask, columns, in_transaction
from hawker.ledger.book import Book, lock_accounts, open_book
from hawker.orders.cancels import queries as cancel_queries
from hawker.orders.cancels.parent_orders import Parent, Stopped
from hawker.orders.models import NO_PROVIDER, State, WorkKind
from hawker.orders.placing import queries as place_queries
from hawker.orders.placing.rules import charge_for, cost_for
from hawker.orders.sending import settling_queries as settle_queries
from hawker.orders.subscriptions import queries
from hawker.orders.subscriptions import run_by_provider_queries as relay_queries
from hawker.orders.subscriptions.rules import SubscriptionQuote, ends_at, quantity_for
from hawker.orders.transitions.actions import DueWork, OrderChange, replace_work, write_changes
from hawker.posts.rules import host_of

ACTOR = system("subscription")
OFF_SALE_WAIT = timedelta(minutes=10)
MAX_OWED = 3
"""So many orders may a provider make for a subscription before they are paid for."""

MAX_POSTS_EACH = 20
"""Most posts of one subscription in one transaction; the rest is due at once in the next."""


# --- placing ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A subscription to be written: its number, whose it is, who placed it; `extra` is its parameters as JSON."""

    order_id: int
    account_id: int
    origin: str
    api_key_id: int | None
    quote: SubscriptionQuote
    extra: str | None


def insert_subscriptions(cursor: Cursor, placed: Sequence[NewSubscription], now: datetime) -> None:
    """Write new subscriptions in the placing transaction.

    A local one is active at once and looks at its feed; one that a provider runs is queued to be bought there.
    Statements only, no answers are read: they travel with the rest of the batch.
    """
    orders, terms, feeds, due = [], [], {}, []
    for new in placed:
        order_id, account_id, quoted = new.order_id, new.account_id, new.quote
        service, asked = quoted.service, quoted.terms
        state = State.ACTIVE if service.posts is not None else State.QUEUED
        name = service.type.name
        orders.append((order_id, account_id, service.id, name, state.value, asked.username, quoted.quantity, new.extra,
                       service.rate, new.origin, new.api_key_id))  # fmt: skip
        address: tuple[str | None, str | None, bool | None] = (None, None, None)
        if service.posts is not None and asked.address is not None:
            address = (service.posts.source, asked.address, service.posts.allow_private)
            feeds[address] = host_of(asked.address)
            due.append(DueWork(order_id, WorkKind.SUBSCRIBE, NO_PROVIDER, ends_at(asked.expiry)))
        elif service.route is not None:
            due.append(DueWork(order_id, WorkKind.DISPATCH, service.route.provider_id, now))
        terms.append((order_id, account_id, asked.username, asked.minimum, asked.maximum, asked.posts, asked.old_posts,
                      asked.delay_minutes, asked.expiry, *address))  # fmt: skip
    cursor.execute(queries.INSERT_PARENTS, (now, now, *map(list, zip(*orders, strict=True))))
    if feeds:
        rows = [(source, url, host, private) for (source, url, private), host in sorted(feeds.items())]
        cursor.execute(queries.INSERT_FEEDS, (now, now, *map(list, zip(*rows, strict=True))))
    cursor.execute(queries.INSERT_SUBSCRIPTIONS, (now, *map(list, zip(*terms, strict=True))))
    replace_work(cursor, [], due)


# --- ordering for posts ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A subscription under its locks. `provider_id` is set of one that a provider runs."""

    order_id: int
    account_id: int
    service_id: int
    state: State
    provider_id: int | None
    is_local: bool
    rate: str
    username: str
    minimum: int
    maximum: int
    posts_left: int | None
    expiry: date | None
    parts: int
    has_looked: bool
    needed_micros: int | None
    is_canceling: bool


@dataclass(frozen=True, slots=True)
class _Post:
    """A post that is due to be ordered for; `quantity` is given where a provider has made the order already."""

    id: int
    key: str
    link: str
    is_new: bool
    quantity: int | None


@dataclass(frozen=True, slots=True)
class _Child:
    """An order to be made for a post."""

    order_id: int
    parent: _Claimed
    part: int
    post: _Post
    quantity: int
    rate: str
    charge_micros: int
    cost_micros: int | None
    route_provider_id: int | None


@dataclass(slots=True)
class _Step:
    """What one subscription comes to in this transaction."""

    claimed: _Claimed
    parts: int
    posts_left: int | None
    children: list[_Child] = field(default_factory=list)
    aside: list[tuple[int, str]] = field(default_factory=list)
    needed_micros: int | None = None
    off_sale: bool = False
    stops: bool = False
    alerts: list[Raised] = field(default_factory=list)
    change: OrderChange | None = None

    @property
    def waits(self) -> bool:
        return self.needed_micros is not None or self.off_sale


def order_for_posts(*, limit: int, now: datetime) -> bool:
    """Take up to `limit` due subscriptions: order for their due posts, end them, pause or resume them.

    Each order is charged to the customer in this transaction, at the catalogue's price of this moment; the first that
    the balance does not cover pauses its subscription, and the posts wait. Answers whether more may be due now.
    Raises Unavailable; then nothing happened, or all of it did and is not done again.
    """
    while True:
        try:
            more, opened = in_transaction(lambda cursor: _order(cursor, limit, now))
        except psycopg.errors.UniqueViolation as error:
            # Another process bound the same upstream id between our look and our write: looking again finds it.
            if error.diag.constraint_name not in ("attempt_upstream_unique", "orders_upstream_unique"):
                raise
        else:
            log_alerts(opened)
            return more


def _order(cursor: Cursor, limit: int, now: datetime) -> tuple[bool, list[Raised]]:
    ask(cursor, place_queries.HOLD_CATALOGUE)
    version = ask_version(cursor)
    ask(cursor, queries.RESUME, (now, now))
    claimed = [_claimed(row) for row in ask(cursor, queries.CLAIM_SUBSCRIPTIONS, (now, limit))]
    if not claimed:
        return False, []
    catalogue = catalogue_at(cursor, version_of(version))
    order_ids = [item.order_id for item in claimed]
    due: defaultdict[int, list[_Post]] = defaultdict(list)
    for order_id, *rest in ask(cursor, queries.READ_WAITING, (order_ids, now, MAX_POSTS_EACH)):
        due[order_id].append(_Post(*rest))
    waiting: dict[int, int] = dict(ask(cursor, queries.COUNT_WAITING, (order_ids,)).fetchall())
    numbers = iter(ask(cursor, place_queries.TAKE_ORDER_IDS, (sum(map(len, due.values())),)).fetchall())
    book = open_book(lock_accounts(cursor, (item.account_id for item in claimed)))
    bound = _find_bound(cursor, claimed, due)
    steps = []
    for item in claimed:
        posts = [(number, post) for post, (number,) in zip(due[item.order_id], numbers, strict=False)]
        steps.append(_step(item, posts, waiting.get(item.order_id, 0), catalogue, book, bound, now))
    _write(cursor, steps, book, now)
    opened = write_alerts(cursor, [alert for step in steps for alert in step.alerts], now=now)
    resumed = [_subject(step) for step in steps if step.claimed.needed_micros and step.needed_micros is None]
    write_closed(cursor, AlertKind.SUBSCRIPTION_OWED, resumed, by="it was paid", now=now)
    failpoint("subscribe-before-commit")
    return len(claimed) == limit or any(len(posts) == MAX_POSTS_EACH for posts in due.values()), opened


def _find_bound(cursor: Cursor, claimed: Sequence[_Claimed], due: Mapping[int, Sequence[_Post]]) -> set[str]:
    """The upstream numbers, among those of orders that a provider made, which other orders have already."""
    ids = [(item.provider_id, int(post.key)) for item in claimed if not item.is_local for post in due[item.order_id]]
    if not ids:
        return set()
    providers, numbers = zip(*ids, strict=True)
    asked = (list(providers), ["add"] * len(ids), list(numbers))
    return {f"{provider_id}/{number}" for provider_id, _, number in ask(cursor, settle_queries.FIND_BOUND, asked)}


def _claimed(row: tuple[Any, ...]) -> _Claimed:
    order_id, account_id, service_id, state, *rest = row
    return _Claimed(order_id, account_id, service_id, State(state), *rest)


def _step(
    claimed: _Claimed,
    posts: Sequence[tuple[int, _Post]],
    waiting: int,
    catalogue: Catalogue,
    book: Book,
    bound: set[str],
    now: datetime,
) -> _Step:
    """Decide what becomes of one subscription, charging its orders in the book, and binding them, as it goes."""
    step = _Step(claimed, claimed.parts, claimed.posts_left)
    end = ends_at(claimed.expiry)
    if claimed.is_local and end is not None and end <= now:
        step.change = OrderChange(claimed.order_id, claimed.state, (State.EXPIRED,), "its last day is over")
        return step
    service = catalogue.sold_to(claimed.account_id, claimed.service_id)
    for order_id, post in posts:
        if not claimed.is_local and f"{claimed.provider_id}/{post.key}" in bound:
            why = f"the provider lists order {post.key}, which belongs to another order"
            step.aside.append((post.id, why))
            step.alerts.append(Raised(AlertKind.UPSTREAM_ID_TWICE, _subject(step), why))
        elif not _make(step, order_id, post, service, book):
            break
        elif not claimed.is_local:
            # A provider may list it for the next subscription of this batch too, where no look at the database tells.
            bound.add(f"{claimed.provider_id}/{post.key}")
    if step.needed_micros is not None and not claimed.is_local:
        _tell_of_debt(step, waiting - len(step.children) - len(step.aside))
    done = claimed.is_local and claimed.has_looked and step.posts_left == 0
    if done and waiting == len(step.children) + len(step.aside):
        step.change = OrderChange(claimed.order_id, claimed.state, (State.COMPLETED,), "every post was ordered for")
    elif step.waits and claimed.state is not State.PAUSED:
        step.change = OrderChange(claimed.order_id, claimed.state, (State.PAUSED,), _why(step))
    elif not step.waits and claimed.state is State.PAUSED and (claimed.is_local or claimed.needed_micros is not None):
        step.change = OrderChange(claimed.order_id, claimed.state, (State.ACTIVE,), "it can go on")
    return step


def _tell_of_debt(step: _Step, owed: int) -> None:
    """The provider delivered what is not paid for: a person hears of it, and from MAX_OWED on it is told to stop."""
    claimed = step.claimed
    step.stops = owed >= MAX_OWED and not claimed.is_canceling
    why = f"{owed} orders that the provider made wait for funds"
    if owed >= MAX_OWED:
        why += "; it was asked to end the subscription"
    step.alerts.append(Raised(AlertKind.SUBSCRIPTION_OWED, _subject(step), why))


def _subject(step: _Step) -> AlertSubject:
    return about_order(step.claimed.order_id)


def _make(step: _Step, order_id: int, post: _Post, service: SoldService | None, book: Book) -> bool:
    """Make the order for one post; False where the subscription has to wait before it can be made."""
    claimed = step.claimed
    quantity = post.quantity
    if quantity is None:
        low, high = claimed.minimum, claimed.maximum
        if service is not None:
            low, high = max(low, service.minimum), min(high, service.maximum)
        if service is None or low > high:
            step.off_sale = True
            return False
        if not service.links.takes(post.link) or service.forbidden.match(post.link):
            step.aside.append((post.id, "the service does not take this link"))
            return True
        quantity = quantity_for(claimed.order_id, post.key, low, high)
    rate_units = service.rate_units if service is not None else read_rate(claimed.rate)
    charge = charge_for(rate_units, quantity, package=False, free=service is not None and service.free)
    if not book.covers(claimed.account_id, charge):
        step.needed_micros = charge
        return False
    if charge:
        book.charge(claimed.account_id, charge, order_id)
    route = service.route if service is not None else None
    step.parts += 1
    if post.is_new and step.posts_left is not None:
        step.posts_left -= 1
    step.children.append(
        _Child(
            order_id,
            claimed,
            step.parts,
            post,
            quantity,
            service.rate if service is not None else claimed.rate,
            charge,
            None if route is None else cost_for(route.cost_rate_units, quantity, package=False),
            None if route is None else route.provider_id,
        )
    )
    return True


def _why(step: _Step) -> str:
    if step.needed_micros is not None:
        return f"the balance does not cover {format_micros(step.needed_micros)} for the next post"
    return "the service is not on sale, or no longer in these quantities"


def _write(cursor: Cursor, steps: Sequence[_Step], book: Book, now: datetime) -> None:
    children = [child for step in steps for child in step.children]
    if children:
        _write_children(cursor, children, now)
    aside = [item for step in steps for item in step.aside]
    if aside:
        ask(cursor, queries.SET_ASIDE, tuple(map(list, zip(*aside, strict=True))))
    rows = [(step.claimed.order_id, step.parts, step.posts_left, step.needed_micros) for step in steps]
    ask(cursor, queries.UPDATE_SUBSCRIPTIONS, tuple(map(list, zip(*rows, strict=True))))
    changes = [step.change for step in steps if step.change is not None]
    # With no change at all this writes the charges alone.
    write_changes(cursor, changes, book, actor=ACTOR, operation="subscription.order", now=now)
    stopped = [step.claimed for step in steps if step.stops]
    if stopped:
        ask(cursor, cancel_queries.MARK_REQUESTED, (now, [claimed.order_id for claimed in stopped]))
        cancels = [
            DueWork(item.order_id, WorkKind.CANCEL, item.provider_id, now) for item in stopped if item.provider_id
        ]
        replace_work(cursor, [], cancels)
    expired = [change.order_id for change in changes if change.path == (State.EXPIRED,)]
    if expired:
        ask(cursor, queries.DROP_WAITING, (expired,))
    due = [(step.claimed.order_id, _latest(step, now), step.waits) for step in steps]
    ask(cursor, queries.NEXT_WORK, tuple(map(list, zip(*due, strict=True))))


def _latest(step: _Step, now: datetime) -> datetime | None:
    """When to look again even if no post is due: at the end, and before that to see whether the service is back.
    None where only an event brings it back.
    """
    latest = ends_at(step.claimed.expiry) if step.claimed.is_local else None
    if not step.off_sale:
        return latest
    return now + OFF_SALE_WAIT if latest is None else min(latest, now + OFF_SALE_WAIT)


def _write_children(cursor: Cursor, children: Sequence[_Child], now: datetime) -> None:
    """Write orders for posts. Those that a provider has made are bound to it, by its word as evidence."""
    rows, due, bound = [], [], []
    for child in children:
        parent, state, provider_id, upstream_id = child.parent, State.QUEUED, None, None
        if not parent.is_local:
            state, provider_id, upstream_id = State.SUBMITTED, parent.provider_id, int(child.post.key)
            assert provider_id is not None, "what a provider lists, a provider runs"
            bound.append((child.order_id, provider_id, upstream_id, f"an order of the subscription {parent.order_id}"))
            due.append(DueWork(child.order_id, WorkKind.POLL, provider_id, now))
        elif child.route_provider_id is not None:
            due.append(DueWork(child.order_id, WorkKind.DISPATCH, child.route_provider_id, now))
        rows.append(
            (
                child.order_id,
                parent.account_id,
                parent.service_id,
                state.value,
                child.post.link,
                child.quantity,
                child.rate,
                child.charge_micros,
                child.cost_micros,
                provider_id,
                upstream_id,
                parent.order_id,
                child.part,
            )
        )
    ask(cursor, queries.INSERT_CHILDREN, (now, now, *map(list, zip(*rows, strict=True))))
    if bound:
        order_ids, provider_ids, upstream_ids, evidence = columns(bound, 4)
        values = {
            "now": now,
            "order_ids": order_ids,
            "provider_ids": provider_ids,
            "upstream_ids": upstream_ids,
            "evidence": evidence,
        }
        ask(cursor, relay_queries.INSERT_BOUND_ATTEMPTS, values)
    posts = [(child.post.id, child.order_id, child.quantity) for child in children]
    ask(cursor, queries.BIND_POSTS, tuple(map(list, zip(*posts, strict=True))))
    replace_work(cursor, [], due)


# --- canceling -------------------------------------------------------------------------------------


def stop_subscriptions(cursor: Cursor, parents: Sequence[Parent], *, reason: str, now: datetime) -> Stopped:
    """End local subscriptions at once: posts that wait are not ordered for, orders that were made go on."""
    del now
    order_ids = [parent.order_id for parent in parents]
    ask(cursor, queries.DROP_WAITING, (order_ids,))
    ask(cursor, queries.NEED_NOTHING, (order_ids,))
    return Stopped([OrderChange(parent.order_id, parent.state, (State.CANCELED,), reason) for parent in parents])


def is_due(cursor: Cursor, now: datetime) -> bool:
    """Whether a feed is due, or funds have come that a subscription waits for. Posts that are due are work like all."""
    row = ask(cursor, queries.FIND_DUE, (now, now)).fetchone()
    return row is not None and bool(row[0])
