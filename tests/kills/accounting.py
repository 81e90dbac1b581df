"""What clients were told, held against what is in the tables."""

from collections import Counter
from contextlib import ExitStack
from typing import Any

import msgspec
import psycopg
from clients import CHARGE_MICROS, Load, link_of

from hawker.core.settings import settings
from panel import Panel
from processes import hawker
from raw_http import Wire

_ORDERS = """
    SELECT o.link, array_agg(o.id ORDER BY o.id), count(t.id), COALESCE(sum(t.amount_micros), 0)::bigint
      FROM orders o LEFT JOIN transfer t ON t.kind = 'charge' AND t.reference = o.id
     GROUP BY o.link
"""
_REQUESTS = "SELECT request_id, order_id FROM order_request"
_ACCOUNTS = """
    SELECT a.id, (SELECT count(*) FROM orders o WHERE o.account_id = a.id), a.balance_micros
      FROM account a WHERE a.user_id IS NOT NULL
"""

CREDIT_MICROS = 100_000_000_000
"""What each customer of a load has."""

TOGETHER = 50


def ask_owner(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Rows by a connection of our own, as the owner of the tables."""
    with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as connection:
        asked = connection.execute(statement, parameters)
        return asked.fetchall() if asked.description else []


def account_for(load: Load, panel: Panel, counted: "Counter[str]") -> None:
    """Every acknowledged order is there once, charged once; nothing is there that nobody asked for.

    Counts first, asserts after. Of a client without request ids an order may exist whose answer was lost.
    """
    made = {link: (orders, charges, charged) for link, orders, charges, charged in ask_owner(_ORDERS)}
    requests = dict(ask_owner(_REQUESTS))
    told = acknowledged_by(load)
    lost = find_lost(load)
    doubles = {link: row for link, row in made.items() if row[1] != 1 or row[2] != CHARGE_MICROS or len(row[0]) != 1}
    unasked = [link for link in made.keys() - told.keys() if "/careless-" not in link]
    counted.update(orders=len(made), acknowledged=len(told), lost=len(lost), doubles=len(doubles))
    counted.update({name.replace(" ", "_"): count for name, count in load.counted.items()})
    assert told, "somebody was told something"
    assert (lost, doubles, unasked) == ([], {}, [])
    careful = [client.acknowledged for client in load.clients if client.is_careful]
    assert requests == {name: order for acknowledged in careful for name, order in acknowledged.items()}
    ask_again(load)
    for account_id, orders, balance in ask_owner(_ACCOUNTS):
        assert balance == CREDIT_MICROS - orders * CHARGE_MICROS, account_id
    panel.assert_verified()


def acknowledged_by(load: Load) -> dict[str, int]:
    """The number of the order that each link was acknowledged with."""
    return {link_of(name): order for client in load.clients for name, order in client.acknowledged.items()}


def find_lost(load: Load) -> list[str]:
    """The links of orders that were acknowledged and are not there."""
    there = set(ask_owner("SELECT link, id FROM orders"))
    return [link for link, order in acknowledged_by(load).items() if (link, order) not in there]


def ask_again(load: Load) -> None:
    """Every request id sent once more, to another server than the last, names the same order."""
    for client in load.clients:
        names = list(client.acknowledged.items()) if client.is_careful else []
        with ExitStack() as stack:
            url = client.urls[(client.at + 1) % len(client.urls)]
            wires = [stack.enter_context(Wire(url)) for _ in range(min(TOGETHER, len(names)))]
            for start in range(0, len(names), TOGETHER):
                asked = list(zip(wires, names[start : start + TOGETHER], strict=False))
                for wire, (name, _) in asked:
                    wire.send(client.form(name))
                for wire, (_, order) in asked:
                    assert wire.answer().json == {"order": order}


def verify_by_command() -> None:
    """`hawker verify`, as an operator runs it, finds nothing."""
    check = hawker(settings().folder.path, "verify")
    assert check.returncode == 0, check.stdout + check.stderr
    assert msgspec.json.decode(check.stdout)["ok"]
