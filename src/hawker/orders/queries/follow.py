"""Polling: what to ask of a provider, and what its answers change."""

CLAIM_POLLS = """
    WITH due AS (
        SELECT order_id FROM work
         WHERE kind = 'poll' AND provider_id = %s AND due_at <= %s
         ORDER BY due_at LIMIT %s
           FOR UPDATE SKIP LOCKED)
    UPDATE work w SET due_at = %s
      FROM due JOIN orders o ON o.id = due.order_id
     WHERE w.order_id = due.order_id AND w.kind = 'poll'
    RETURNING o.id, o.upstream_id, o.state, o.quantity, o.start_count, o.remains, o.upstream_charge_micros,
              o.created_at, w.tries
"""
"""Due polls, leased by moving them into the future: a killed worker's are due again by themselves."""

DEFER_POLLS = """
    UPDATE work w SET due_at = f.due_at, tries = f.tries
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[]) AS f(order_id, due_at, tries)
     WHERE w.order_id = f.order_id AND w.kind = 'poll'
"""

LOCK_ORDERS = """
    SELECT id, state, account_id, quantity, charge_micros, refunded_micros, earned_micros, settlements
      FROM orders WHERE id = ANY(%s::bigint[])
     ORDER BY id FOR UPDATE
"""
