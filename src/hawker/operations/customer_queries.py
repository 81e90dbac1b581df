"""The set SQL of what staff see of one customer: the account with its orders, and its statement."""

READ_CUSTOMER = """
    SELECT u.email, u.is_active, u.created_at, a.id, a.balance_micros, a.credit_limit_micros, a.currency, g.name,
           (SELECT count(*) FROM api_key k
             WHERE k.user_id = u.id AND k.revoked_at IS NULL AND COALESCE(k.expires_at > %(now)s, true)),
           (SELECT count(*) FROM (SELECT o.state FROM orders o WHERE o.account_id = a.id
                                   ORDER BY o.id DESC LIMIT %(newest)s) n
             WHERE NOT n.state = ANY(%(finished)s::text[]))
      FROM account a
      JOIN app_user u ON u.id = a.user_id
      LEFT JOIN customer_price p ON p.account_id = a.id
      LEFT JOIN price_group g ON g.id = p.group_id
     WHERE a.id = %(account_id)s
"""
"""Counts the unfinished ones of the account's newest orders: the older ones have ended, but for a few."""

READ_STATEMENT = """
    SELECT t.id, t.seq, t.created_at, t.kind, t.account_id = t.debit_id, t.amount_micros, t.balance_after_micros,
           t.currency, o.id, s.name, d.gateway, d.gateway_transaction, COALESCE(d.reason, c.reason, '')
      FROM (SELECT * FROM transfer WHERE account_id = %(account_id)s ORDER BY seq DESC LIMIT %(limit)s) t
      LEFT JOIN orders o ON t.kind IN ('charge', 'refund', 'delivery') AND o.id = t.reference
      LEFT JOIN service s ON s.id = o.service_id
      LEFT JOIN deposit d ON t.kind = 'deposit' AND d.id = t.reference
      LEFT JOIN correction c ON t.kind = 'correction' AND c.id = t.reference
     WHERE COALESCE(t.created_at >= %(since)s::timestamptz, true)
     ORDER BY t.seq DESC
"""
"""The newest entries of one account, and of those the ones since then: entries are numbered in the order of time."""
