"""Placing orders: two round trips a batch, whatever its size."""

PLACING_LOCK = 1214347115
"""The advisory lock of placing: held shared by batches, exclusively by a catalogue change as it commits."""

HOLD_CATALOGUE = "SELECT pg_advisory_xact_lock_shared(1214347115)"
"""While this is held no catalogue change commits; the version read after it stays valid to our COMMIT."""

TAKE_ORDER_IDS = "SELECT nextval('orders_id_seq') FROM generate_series(1, %s::bigint)"
"""Numbers for the batch, so that orders, transfers and work can be written side by side."""

INSERT_ORDERS = """
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, cost_micros, created_at, updated_at)
    SELECT f.id, f.account_id, f.service_id, f.type, 'queued', f.link, f.quantity, f.extra, f.rate, f.charge_micros,
           0, 0, 0, f.cost_micros, %s, %s
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::jsonb[],
                  %s::text[], %s::bigint[], %s::bigint[])
        AS f(id, account_id, service_id, type, link, quantity, extra, rate, charge_micros, cost_micros)
"""

INSERT_WORK = """
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
    SELECT f.order_id, 'dispatch', f.provider_id, %s, 0, ''
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(order_id, provider_id)
"""
