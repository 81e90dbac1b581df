"""Reading orders, always with the account that asks: a foreign order answers as a missing one."""

READ_STATUSES = """
    SELECT o.account_id, o.id, o.charge_micros - o.refunded_micros, o.start_count, o.state,
           COALESCE(o.remains, o.quantity)
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(account_id, id)
      JOIN orders o ON o.id = f.id AND o.account_id = f.account_id
"""
"""Many accounts' questions at once, each pair of account and order by the primary key."""
