"""Orders that are held: sold under their cost, or without anybody to buy them from."""

WAKE_HELD = """
    UPDATE work w SET due_at = %s
      FROM (SELECT order_id FROM work WHERE kind = 'dispatch' AND hold_kind IS NOT NULL AND due_at > %s
               FOR UPDATE SKIP LOCKED) held
     WHERE w.order_id = held.order_id AND w.kind = 'dispatch'
"""
"""What somebody else is touching is left to its own time."""

LOCK_HELD = """
    SELECT o.id, o.state, w.hold FROM orders o JOIN work w ON w.order_id = o.id
     WHERE o.id = ANY(%s::bigint[]) AND w.hold_kind IS NOT NULL
       AND (w.kind = 'dispatch' AND o.state = 'queued'
            OR w.kind IN ('drip', 'subscribe') AND o.state IN ('active', 'paused'))
     ORDER BY o.id FOR UPDATE OF o
"""
"""The orders only: their work comes after, as everywhere."""

RELEASE = """
    UPDATE work SET due_at = %s, hold = '', hold_kind = NULL
     WHERE order_id = ANY(%s::bigint[]) AND kind IN ('dispatch', 'drip', 'subscribe') AND hold_kind IS NOT NULL
"""

ACCEPT_LOSS = """
    UPDATE orders SET at_a_loss = true, updated_at = %s WHERE id = ANY(%s::bigint[]) AND state = 'queued'
"""
