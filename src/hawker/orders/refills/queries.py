"""Refills: asked for, sent, followed, and read by those who asked."""

LOCK_ORDERS = """
    SELECT o.id, o.account_id, o.state, o.ended_at, o.provider_id, o.upstream_id, s.refill, s.refill_days,
           o.type = 'Subscriptions' OR EXISTS (SELECT FROM orders c WHERE c.parent_id = o.id)
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(account_id, id)
      JOIN orders o ON o.id = f.id AND o.account_id = f.account_id
      JOIN service s ON s.id = o.service_id
     ORDER BY o.id
       FOR UPDATE OF o
"""
"""The orders asked for, each with the account that asks; the last column says that it is a parent of orders."""

READ_LAST = """
    SELECT DISTINCT ON (r.order_id) r.order_id, r.state, r.requested_at
      FROM refill r WHERE r.order_id = ANY(%s::bigint[])
     ORDER BY r.order_id, r.id DESC
"""
"""The last refill of each order, read after its lock was got: one that was committed meanwhile is seen."""

INSERT_REFILLS = """
    INSERT INTO refill (order_id, account_id, state, provider_id, reason, requested_at, updated_at)
    SELECT f.order_id, f.account_id, 'pending', f.provider_id, '', %s, %s
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS f(order_id, account_id, provider_id)
    RETURNING order_id, id
"""

READ_STATES = """
    SELECT r.account_id, r.id, r.state
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(account_id, id)
      JOIN refill r ON r.id = f.id AND r.account_id = f.account_id
"""

CLAIM_REFILLS = """
    SELECT o.id, r.id, o.upstream_id, w.tries,
           (SELECT count(*) FROM attempt a WHERE a.order_id = o.id AND a.kind = 'refill')
      FROM work w
      JOIN orders o ON o.id = w.order_id
      JOIN refill r ON r.order_id = o.id AND r.state = 'pending'
     WHERE w.kind = 'refill' AND w.provider_id = %s AND w.due_at <= %s
       AND NOT EXISTS (SELECT FROM attempt a WHERE a.refill_id = r.id AND a.kind = 'refill'
                                               AND a.state IN ('sending', 'unknown', 'accepted'))
     ORDER BY w.due_at
     LIMIT %s
       FOR UPDATE OF w, o, r SKIP LOCKED
"""
"""Due refills that nobody else is touching. A claim moves its work to the end of its lease, so that one
who looked before that COMMIT and locks after it sees the work again as not due."""

LOCK_THEIR_ORDERS = "SELECT id, state FROM orders WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"

LOCK_TO_RESOLVE = """
    SELECT o.id, o.state, r.id
      FROM refill r JOIN orders o ON o.id = r.order_id
     WHERE r.id = ANY(%s::bigint[])
     ORDER BY o.id FOR UPDATE OF o
"""

READ_LIVE = """
    SELECT a.refill_id, a.id, a.state
      FROM attempt a
     WHERE a.refill_id = ANY(%s::bigint[]) AND a.kind = 'refill' AND a.state IN ('sending', 'unknown', 'accepted')
"""
"""Stable while the order is locked: whoever settles an attempt locks its order too."""

DECIDE_UNKNOWN = """
    UPDATE attempt a SET state = 'manual', done_at = %s, evidence = concat_ws(E'\n', NULLIF(a.evidence, ''), f.evidence)
      FROM unnest(%s::bigint[], %s::text[]) AS f(id, evidence)
     WHERE a.id = f.id AND a.state = 'unknown'
"""

LOCK_REFILLS = """
    SELECT r.id, r.state, r.order_id, r.provider_id
      FROM refill r WHERE r.id = ANY(%s::bigint[])
     ORDER BY r.id FOR UPDATE
"""
"""Asked after the orders' locks, as everywhere."""

CHANGE_REFILLS = """
    UPDATE refill r
       SET state = f.state, upstream_id = COALESCE(f.upstream_id, r.upstream_id),
           reason = COALESCE(f.reason, r.reason), updated_at = %s, ended_at = CASE WHEN f.ends THEN %s::timestamptz END
      FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::boolean[])
        AS f(id, state, upstream_id, reason, ends)
     WHERE r.id = f.id AND r.ended_at IS NULL
"""

CLAIM_FOLLOWS = """
    WITH due AS (
        SELECT order_id FROM work
         WHERE kind = 'follow' AND provider_id = %s AND due_at <= %s
         ORDER BY due_at LIMIT %s
           FOR UPDATE SKIP LOCKED)
    UPDATE work w SET due_at = %s
      FROM due JOIN refill r ON r.order_id = due.order_id AND r.state IN ('pending', 'in_progress')
     WHERE w.order_id = due.order_id AND w.kind = 'follow'
    RETURNING r.id, r.order_id, r.upstream_id, r.state, r.requested_at, w.tries, w.provider_id
"""
"""Due looks at refills, leased by moving them into the future: a killed worker's are due again by themselves."""
