"""Reading orders, always with the account that asks: a foreign order answers as a missing one."""

READ_STATUSES = """
    SELECT o.id, o.account_id, o.charge_micros - o.refunded_micros, o.start_count, o.state,
           COALESCE(o.remains, o.quantity),
           CASE WHEN o.runs IS NOT NULL THEN 'drip' WHEN o.type = 'Subscriptions' THEN 'subscription' END
      FROM orders o WHERE o.id = ANY(%s::bigint[])
"""
"""Many accounts' questions at once, in one walk along the primary key: a look-up for each pair of account and order
costs the database half as much again (measured). Whose each order is comes with it: the asker is compared outside."""

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

READ_SUBSCRIPTIONS = """
    SELECT o.id, o.state, COALESCE(c.charge_micros, 0)::bigint, COALESCE(s.posts_left, 0), s.parts, s.expiry,
           COALESCE(c.ids, '{}')
      FROM orders o JOIN subscription s ON s.order_id = o.id
      LEFT JOIN LATERAL (SELECT sum(charge_micros - refunded_micros) AS charge_micros,
                                (array_agg(id ORDER BY part DESC))[1:%s] AS ids
                           FROM orders WHERE parent_id = o.id) c ON true
     WHERE o.id = ANY(%s::bigint[])
"""
"""Subscriptions with what their orders cost in the end, and the numbers of the newest of these."""

LIST_ORDERS = """
    SELECT f.ask, o.id, o.service_id, o.link, o.quantity, o.created_at, o.parent_id, r.request_id
      FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::bigint[]) AS f(ask, account_id, before, most)
     CROSS JOIN LATERAL (SELECT id, service_id, link, quantity, created_at, parent_id FROM orders
                          WHERE account_id = f.account_id AND id < f.before
                          ORDER BY id DESC LIMIT f.most) o
      LEFT JOIN order_request r ON r.order_id = o.id
     ORDER BY f.ask, o.id DESC
"""
"""The newest orders of each account that asks, below a number, by the index of account and number."""
