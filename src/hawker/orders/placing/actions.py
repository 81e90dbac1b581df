"""Placing orders: priced, charged and queued in one transaction, or refused with nothing written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from hawker.catalog.snapshot import Catalogue, catalogue_at
from hawker.core.errors import Refusal
from hawker.core.failpoints import failpoint
from hawker.core.sql import Cursor, ask, columns, in_transaction
from hawker.ledger.book import Book, lock_accounts, open_book
from hawker.ledger.errors import NotEnoughFunds
from hawker.orders.drip_feeds import queries as drip_queries
from hawker.orders.models import Origin
from hawker.orders.placing import queries
from hawker.orders.placing.idempotency import ask_memory
from hawker.orders.placing.rules import Quote, quote
from hawker.orders.placing.same_link import open_guard
from hawker.orders.subscriptions.actions import NewSubscription, insert_subscriptions
from hawker.orders.subscriptions.rules import SubscriptionQuote, quote_subscription
from hawker.protocol.errors import ActiveOrder, IncorrectService
from hawker.protocol.params import Value, read_whole, write_date
from hawker.protocol.service_types import QuantityRule, read_order_form


@dataclass(slots=True)  # not frozen: one is made for each request, and that costs half as much
class Draft:
    """An order as somebody asked for it: whose account, the parameters as text by wire name, and with which key."""

    account_id: int
    fields: Mapping[str, str]
    api_key_id: int | None = None


Placed: TypeAlias = tuple[int, Draft, Quote]
"""A draft that has become an order: its number, the draft, and the price."""


def place_orders(drafts: Sequence[Draft], *, now: datetime, origin: Origin = Origin.API_KEY) -> list[int | Refusal]:
    """Place each draft: answers its order's number, or the refusal of the first rule it breaks.

    `origin` is the way in which all of them were asked for.

    The drafts of an account are taken in their order, each seeing the balance the ones before it left:
    exactly as many are accepted as there are funds for. A refused draft writes nothing and does not
    disturb the others. A draft whose `request_id` placed an order before answers that order's number.
    Prices are those of the catalogue at the COMMIT. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _place(cursor, drafts, origin, now), pipelined=True)


def _place(cursor: Cursor, drafts: Sequence[Draft], origin: Origin, now: datetime) -> list[int | Refusal]:
    # One round trip: the catalogue is held, the accounts are locked, the numbers are taken.
    ask(cursor, queries.HOLD_CATALOGUE)
    taken = ask(cursor, queries.READ_VERSION_TAKE_IDS, (len(drafts),))
    locked = lock_accounts(cursor, (draft.account_id for draft in drafts))
    asked_memory = ask_memory(cursor, drafts)
    version, order_ids = _first(taken)
    catalogue = catalogue_at(cursor, version)
    book = open_book(locked)
    memory = asked_memory.read()
    quotes = [_quote(draft, catalogue, now) for draft in drafts]
    guard = open_guard(cursor, quotes)
    answers: list[int | Refusal] = []
    placed: list[Placed] = []
    for place, (draft, quoted, order_id) in enumerate(zip(drafts, quotes, order_ids, strict=True)):
        if (answered := memory.recall(place)) is not None:
            answers.append(answered)
        elif isinstance(quoted, Refusal):
            answers.append(quoted)
        elif not guard.admits(quoted):
            answers.append(ActiveOrder())
        elif not _charge(book, draft.account_id, order_id, quoted):
            answers.append(NotEnoughFunds())
        else:
            placed.append((order_id, draft, quoted))
            answers.append(order_id)
            memory.keep(place, order_id)
            guard.keep(quoted, order_id)
    if placed:
        _write(cursor, placed, book, origin.value, now)
        memory.write(cursor, now)
        guard.write(cursor)
    failpoint("place-before-commit")
    return answers


def _quote(draft: Draft, catalogue: Catalogue, now: datetime) -> Quote | Refusal:
    service = catalogue.sold_to(draft.account_id, read_whole(draft.fields.get("service", "")) or 0)
    if service is None:
        return IncorrectService()
    try:
        form = read_order_form(service.type, draft.fields)
        if service.type.quantity is QuantityRule.PER_POST:
            return quote_subscription(service, form, now.astimezone(UTC).date())
        return quote(service, form)
    except Refusal as refusal:
        return refusal


def _charge(book: Book, account_id: int, order_id: int, quoted: Quote) -> bool:
    if not book.covers(account_id, quoted.charge_micros):
        return False
    if quoted.charge_micros:
        book.charge(account_id, quoted.charge_micros, order_id)
    return True


def _first(asked: Cursor) -> tuple[int, list[int]]:
    row = asked.fetchone()
    assert row is not None, "migrations write the one row"
    return row[0], row[1]


def _write(cursor: Cursor, placed: Sequence[Placed], book: Book, origin: str, now: datetime) -> None:
    plain = [item for item in placed if _is_plain(item[2])]
    if len(plain) < len(placed):
        _write_parents(cursor, placed, origin, now)
    cursor.execute(
        queries.WRITE_PLACED,
        (
            *(now, origin, *columns(_plain_rows(plain), 12)),
            *book.transfer_values("order.add", now),
            *book.account_values(),
        ),
    )


def _is_plain(quoted: Quote) -> bool:
    return quoted.form.runs is None and type(quoted) is Quote


def _plain_rows(placed: Sequence[Placed]) -> list[tuple[Any, ...]]:
    rows = []
    for order_id, draft, quoted in placed:
        service, form = quoted.service, quoted.form
        rows.append(
            (
                order_id,
                draft.account_id,
                service.id,
                service.type.name,
                form.link,
                quoted.quantity,
                _extra(form.extra) if form.extra else None,
                service.rate,
                quoted.charge_micros,
                quoted.cost_micros,
                draft.api_key_id,
                service.route.provider_id if service.route else None,
            )
        )
    return rows


def _write_parents(cursor: Cursor, placed: Sequence[Placed], origin: str, now: datetime) -> None:
    """Those of the batch that are delivered through orders of their own."""
    drips = [item for item in placed if item[2].form.runs is not None]
    if drips:
        _write_drips(cursor, drips, origin, now)
    subscriptions = [
        NewSubscription(order_id, draft.account_id, origin, draft.api_key_id, quoted, _extra(quoted.form.extra))
        for order_id, draft, quoted in placed
        if isinstance(quoted, SubscriptionQuote)
    ]
    if subscriptions:
        insert_subscriptions(cursor, subscriptions, now)


def _write_drips(cursor: Cursor, placed: Sequence[Placed], origin: str, now: datetime) -> None:
    """Drip-feeds are charged here and sent run by run (drip_feeds/actions.py)."""
    rows = [
        (
            order_id,
            draft.account_id,
            quoted.service.id,
            quoted.service.type.name,
            quoted.form.link,
            quoted.quantity,
            _extra(quoted.form.extra),
            quoted.service.rate,
            quoted.charge_micros,
            quoted.form.runs,
            quoted.form.interval_minutes,
            origin,
            draft.api_key_id,
        )
        for order_id, draft, quoted in placed
    ]
    cursor.execute(drip_queries.INSERT_DRIPS, (*map(list, zip(*rows, strict=True)), now, now, now))


def _extra(values: Mapping[str, Value]) -> str | None:
    """What is forwarded beside link and quantity, as JSON text of wire names and wire texts."""
    return json.dumps({name: _wire_text(value) for name, value in values.items()}) if values else None


def _wire_text(value: Value) -> str:
    if isinstance(value, tuple):
        return "\n".join(value)
    return write_date(value) if isinstance(value, date) else str(value)
