"""The set SQL of what staff see of one customer: the account with its orders."""

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
