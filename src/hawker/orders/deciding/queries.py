"""What staff do to orders that no provider delivers."""

LOCK_ORDERS = """
    SELECT o.id, o.state, o.upstream_id,
           o.account_id, o.quantity, o.charge_micros, o.refunded_micros, o.earned_micros, o.settlements
      FROM orders o WHERE o.id = ANY(%s::bigint[])
     ORDER BY o.id FOR UPDATE
"""

READ_SENDABLE = """
    SELECT order_id FROM work WHERE kind = 'dispatch' AND hold_kind IS NULL AND order_id = ANY(%s::bigint[])
"""
"""Of orders that are locked, those that a provider will be asked for: not those without a route, nor those on hold."""
