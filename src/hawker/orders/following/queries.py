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
              GREATEST(o.created_at, o.cancel_requested_at), w.tries, w.due_at, o.type = 'Subscriptions'
"""
"""Due polls, leased by moving them into the future: a killed worker's are due again by themselves. An
order whose cancel was asked for is asked about as often as one that was placed at that moment."""

DEFER_POLLS = """
    UPDATE work w SET due_at = CASE WHEN w.due_at < %s THEN w.due_at ELSE f.due_at END, tries = f.tries
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[]) AS f(order_id, due_at, tries)
     WHERE w.order_id = f.order_id AND w.kind = 'poll'
"""
"""When to ask again. A poll that was brought forward while its lease ran (by a cancel) stays where it was put."""

LOCK_ORDERS = """
    SELECT id, state, account_id, quantity, charge_micros, refunded_micros, earned_micros, settlements
      FROM orders WHERE id = ANY(%s::bigint[])
     ORDER BY id FOR UPDATE
"""
