"""Placing orders: two round trips and four statements a batch, whatever its size."""

from hawker.ledger import queries as ledger

PLACING_LOCK = 1214347115
"""The advisory lock of placing: held shared by batches, exclusively by a catalogue change as it commits."""

HOLD_CATALOGUE = "SELECT pg_advisory_xact_lock_shared(1214347115)"
"""While this is held no catalogue change commits; the version read after it stays valid to our COMMIT."""

TAKE_ORDER_IDS = "SELECT nextval('orders_id_seq') FROM generate_series(1, %s::bigint)"
"""Numbers for orders that others make: runs and posts."""

READ_VERSION_TAKE_IDS = """
    SELECT version, ARRAY(SELECT nextval('orders_id_seq') FROM generate_series(1, (SELECT %s::bigint)))
      FROM catalogue_version WHERE id = 1
"""
"""The catalogue's number, and numbers for the batch, so that all its rows can be written side by side.

How many is asked in a SELECT of its own: where the planner sees the number it plans anew each time (measured, 60 µs
a batch), hoping for a better plan than the prepared one.
"""

_INSERT_ORDERS = """
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, cost_micros, created_at, updated_at, origin,
                        api_key_id)
    SELECT a.id, a.account_id, a.service_id, a.type, 'queued', a.link, a.quantity, a.extra, a.rate, a.charge_micros,
           0, 0, 0, a.cost_micros, moment.at, moment.at, moment.origin, a.api_key_id
      FROM asked a CROSS JOIN moment
"""

_INSERT_WORK = """
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
    SELECT a.id, 'dispatch', a.provider_id, moment.at, 0, ''
      FROM asked a CROSS JOIN moment
     WHERE a.provider_id IS NOT NULL
"""

WRITE_PLACED = f"""
    WITH moment AS (SELECT %s::timestamptz AS at, %s::text AS origin),
         asked AS (
             SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[],
                                  %s::jsonb[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
                 AS f(id, account_id, service_id, type, link, quantity, extra, rate, charge_micros, cost_micros,
                      api_key_id, provider_id)
         ),
         placed AS ({_INSERT_ORDERS}),
         due AS ({_INSERT_WORK}),
         written AS ({ledger.INSERT_TRANSFERS})
    {ledger.UPDATE_ACCOUNTS}
"""
"""Orders, their work, their charges and the balances these leave, in one statement: each that travels alone costs
the driver and the server as much as several rows do. The triggers look when all of it is there.
"""
