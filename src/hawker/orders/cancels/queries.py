"""Cancels: looking at orders under their locks, and writing down what is wished."""

LOCK_ASKED = """
    SELECT o.id, o.state, s.cancel OR (o.state IN ('active', 'paused') AND s.subscription = 'local'), o.type,
           o.provider_id, o.upstream_id, o.cancel_requested_at, o.account_id, o.quantity, o.charge_micros,
           o.refunded_micros, o.earned_micros, o.settlements
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(account_id, id)
      JOIN orders o ON o.id = f.id AND o.account_id = COALESCE(f.account_id, o.account_id)
      JOIN service s ON s.id = o.service_id
     ORDER BY o.id
       FOR UPDATE OF o
"""
"""The orders asked for, each with the account that asks; staff ask without one. A subscription whose posts we find
ourselves may always be stopped: nothing upstream has to agree."""

MARK_REQUESTED = """
    UPDATE orders SET cancel_requested_at = %s WHERE id = ANY(%s::bigint[]) AND cancel_requested_at IS NULL
"""

POLL_SOON = """
    UPDATE work SET due_at = LEAST(due_at, %s), tries = 0 WHERE kind = 'poll' AND order_id = ANY(%s::bigint[])
"""
"""The provider may act on a cancel within seconds: its status is asked for again before its usual time."""

CLAIM_CANCELS = """
    WITH due AS (
        SELECT order_id FROM work
         WHERE kind = 'cancel' AND provider_id = %s AND due_at <= %s
         ORDER BY due_at LIMIT %s
           FOR UPDATE SKIP LOCKED)
    UPDATE work w SET due_at = %s
      FROM due JOIN orders o ON o.id = due.order_id
     WHERE w.order_id = due.order_id AND w.kind = 'cancel'
    RETURNING o.id, o.upstream_id, w.tries, w.provider_id
"""
"""Due cancels, leased by moving them into the future: a killed worker's are due again by themselves."""

LOCK_OPEN = "SELECT id, state FROM orders WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"

TAKE_BACK = "UPDATE orders SET cancel_requested_at = NULL WHERE id = ANY(%s::bigint[])"
"""The wish of a cancel that was refused."""
