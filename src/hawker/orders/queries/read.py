"""Reading orders, always with the account that asks: a foreign order answers as a missing one."""

READ_STATUSES = """
    SELECT o.account_id, o.id, o.charge_micros - o.refunded_micros, o.start_count, o.state,
           COALESCE(o.remains, o.quantity), o.runs IS NOT NULL
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(account_id, id)
      JOIN orders o ON o.id = f.id AND o.account_id = f.account_id
"""
"""Many accounts' questions at once, each pair of account and order by the primary key."""

READ_DRIPS = """
    SELECT p.id, p.state, p.charge_micros - p.refunded_micros - COALESCE(sum(c.refunded_micros), 0)::bigint,
           (p.runs - count(c.id)) * (p.quantity / p.runs) + COALESCE(sum(COALESCE(c.remains, c.quantity)), 0)::bigint,
           min(c.start_count) FILTER (WHERE c.part = 1),
           COALESCE(bool_or(c.state NOT IN ('queued', 'sending', 'unknown', 'rejected', 'submitted')), false),
           COALESCE(array_agg(c.id ORDER BY c.part) FILTER (WHERE c.id IS NOT NULL), '{}')
      FROM orders p LEFT JOIN orders c ON c.parent_id = p.id
     WHERE p.id = ANY(%s::bigint[])
     GROUP BY p.id
"""
"""Drip-feeds summed over their runs, in one look at both: what was paid in the end, what is not delivered
yet (a run that is not started is not), whether anything has moved, and the runs' numbers."""
