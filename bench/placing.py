"""Many orders that wait to be sent, placed by one statement through every trigger: pgbench would take minutes."""

from typing import Any

import psycopg

from bench.fill import CHARGE_MICROS, COST_MICROS, QUANTITY, RATE, Filled

_PLACE = """
    WITH drawn AS (
        SELECT nextval('orders_id_seq') AS id, a.id AS account_id, a.balance_micros, a.seq, a.nth
          FROM (SELECT id, balance_micros, seq, nth
                  FROM account, generate_series(1, %(count)s / %(customers)s + 1) AS nth
                 WHERE id BETWEEN %(first)s AND %(first)s + %(customers)s - 1 ORDER BY nth, id LIMIT %(count)s) a),
         placed AS (
        INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                            refunded_micros, earned_micros, settlements, cost_micros, created_at, updated_at, origin)
        SELECT id, account_id, %(service)s, 'Default', 'queued', 'https://example.com/due/' || id, %(quantity)s, NULL,
               %(rate)s, %(charge)s, 0, 0, 0, %(cost)s, now(), now(), 'api_key' FROM drawn),
         due AS (
        INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
        SELECT id, 'dispatch', %(provider)s, now() + interval '1 day', 0, '' FROM drawn),
         charged AS (
        INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                              balance_after_micros, created_at, operation)
        SELECT 'charge', account_id, 1, %(charge)s, 'USD', id, 0, account_id, seq + nth,
               balance_micros - nth * %(charge)s, now(), 'order.add' FROM drawn)
    UPDATE account a SET balance_micros = a.balance_micros - f.many * %(charge)s, seq = a.seq + f.many
      FROM (SELECT account_id, count(*) AS many FROM drawn GROUP BY 1) f
     WHERE a.id = f.account_id
"""


def place_many(connection: "psycopg.Connection[Any]", filled: Filled, count: int) -> None:
    """Place so many orders for the first provider, spread over all customers, due in a day. One transaction."""
    values = {"count": count, "customers": len(filled.accounts), "first": filled.accounts[0]}
    values |= {"service": filled.services[0], "provider": filled.provider_id, "quantity": QUANTITY, "rate": RATE}
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(_PLACE, values | {"charge": CHARGE_MICROS, "cost": COST_MICROS})
