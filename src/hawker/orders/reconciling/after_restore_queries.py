"""A database that came back from a backup: what the panel may have sent since that was made."""

INSERT_RESTORE = "INSERT INTO restore (taken_at, restored_at) VALUES (%s, %s)"

PAUSE_ALL = """
    UPDATE provider SET paused_until = NULL, pause_kind = %s, pause_reason = %s RETURNING name
"""

FIND_SENDING = "SELECT id FROM attempt WHERE state = 'sending'"

FIND_UNKNOWN = "SELECT id FROM attempt WHERE state = 'unknown'"

LOCK_QUEUED = """
    SELECT o.id, w.provider_id,
           COALESCE((SELECT max(a.n) FROM attempt a WHERE a.order_id = o.id AND a.kind = 'add'), 0)::int
      FROM work w JOIN orders o ON o.id = w.order_id
     WHERE w.kind = 'dispatch' AND o.state = 'queued'
     ORDER BY o.id
     LIMIT %s
       FOR UPDATE OF o
"""
"""Every order that waits to be sent, held or not; those that were handled are not queued any more."""

LOCK_REFILLS = """
    SELECT o.id, w.provider_id,
           COALESCE((SELECT max(a.n) FROM attempt a WHERE a.order_id = o.id AND a.kind = 'refill'), 0)::int, r.id
      FROM work w JOIN orders o ON o.id = w.order_id JOIN refill r ON r.order_id = o.id AND r.state = 'pending'
     WHERE w.kind = 'refill'
       AND NOT EXISTS (SELECT FROM attempt a WHERE a.refill_id = r.id AND a.kind = 'refill'
                                               AND a.state IN ('sending', 'unknown', 'accepted'))
     ORDER BY o.id
     LIMIT %s
       FOR UPDATE OF o, r
"""

RECONCILE_NOW = "UPDATE work SET due_at = %s, tries = 0 WHERE kind = 'reconcile'"
"""There is nothing to wait for: the first look leaves each to a person."""

HOLD_DRIPS = """
    UPDATE work w SET due_at = NULL, hold = %s, hold_kind = 'restored'
      FROM drip d
     WHERE w.kind = 'drip' AND d.order_id = w.order_id AND d.started < d.stops_after AND w.due_at <= %s
    RETURNING w.order_id, (SELECT o.state FROM orders o WHERE o.id = w.order_id)
"""
"""Drip-feeds whose next run was due before now: the panel may have started it, and others after it."""

HOLD_SUBSCRIPTIONS = """
    UPDATE work w SET due_at = NULL, hold = %s, hold_kind = 'restored'
      FROM subscription s
     WHERE w.kind = 'subscribe' AND s.order_id = w.order_id AND s.feed_id IS NOT NULL
    RETURNING w.order_id, (SELECT o.state FROM orders o WHERE o.id = w.order_id)
"""
"""Subscriptions whose posts we look for ourselves: the panel may have ordered for posts that are new to this copy."""

SKIP_NUMBERS = """
    SELECT setval(pg_get_serial_sequence(f.name, 'id'),
                  nextval(pg_get_serial_sequence(f.name, 'id')) + %s)
      FROM unnest(%s::text[]) AS f(name)
"""
