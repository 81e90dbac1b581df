"""Subscriptions that a provider runs: what it says of them, and the orders it made for them."""

LOCK_RELAYED = """
    SELECT o.id, o.state, o.provider_id, s.username, s.minimum, s.maximum, s.posts, s.old_posts,
           s.needed_micros IS NOT NULL
      FROM orders o JOIN subscription s ON s.order_id = o.id
     WHERE o.id = ANY(%s::bigint[])
     ORDER BY o.id
       FOR UPDATE OF o
"""

READ_LISTED = """
    SELECT order_id, key, is_new, child_id IS NULL AND NOT is_aside FROM subscription_post
     WHERE order_id = ANY(%s::bigint[])
"""
"""What of each is known already, and whether it still waits to be read or charged."""

INSERT_LISTED = """
    INSERT INTO subscription_post (order_id, key, link, is_new, quantity, due_at, is_aside, problem, seen_at)
    SELECT f.order_id, f.key, f.link, f.is_new, f.quantity, f.due_at, f.is_aside, f.problem, %s
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::timestamptz[], %s::boolean[],
                  %s::text[])
        WITH ORDINALITY AS f(order_id, key, link, is_new, quantity, due_at, is_aside, problem, n)
     ORDER BY f.n
    ON CONFLICT (order_id, key) DO NOTHING
"""

CLAIM_UNREAD = """
    WITH due AS (
        SELECT order_id FROM work
         WHERE kind = 'bind' AND provider_id = %s AND due_at <= %s
         ORDER BY due_at LIMIT %s
           FOR UPDATE SKIP LOCKED),
    leased AS (
        UPDATE work w SET due_at = %s FROM due WHERE w.order_id = due.order_id AND w.kind = 'bind'
        RETURNING w.order_id, w.provider_id, w.tries)
    SELECT p.id, l.order_id, p.key::bigint, l.provider_id, l.tries, s.minimum, s.maximum, r.cost_rate
      FROM leased l
      JOIN subscription s ON s.order_id = l.order_id
      JOIN orders o ON o.id = l.order_id
      LEFT JOIN route r ON r.service_id = o.service_id AND r.provider_id = l.provider_id
      CROSS JOIN LATERAL (SELECT id, key FROM subscription_post
                           WHERE order_id = l.order_id AND child_id IS NULL AND due_at IS NULL AND NOT is_aside
                           ORDER BY problem <> '', id LIMIT %s) p
"""
"""Orders to be read, those first that were not read in vain before."""

LOCK_PARENTS = "SELECT id, state FROM orders WHERE id = ANY(%s::bigint[]) ORDER BY id FOR UPDATE"

SET_READ = """
    UPDATE subscription_post p SET quantity = f.quantity, due_at = f.due_at, problem = f.problem
      FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[]) AS f(id, quantity, due_at, problem)
     WHERE p.id = f.id AND p.child_id IS NULL
"""

COUNT_UNREAD = """
    SELECT order_id, count(*) FROM subscription_post
     WHERE order_id = ANY(%s::bigint[]) AND child_id IS NULL AND due_at IS NULL AND NOT is_aside
     GROUP BY order_id
"""

INSERT_BOUND_ATTEMPTS = """
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, started_at, done_at, body_head,
                         upstream_id, evidence, made_by_provider)
    SELECT f.order_id, 'add', 1, f.provider_id, 'accepted', %(now)s, 'subscription', %(now)s, %(now)s, '',
           f.upstream_id, f.evidence, true
      FROM unnest(%(order_ids)s::bigint[], %(provider_ids)s::bigint[], %(upstream_ids)s::bigint[],
                  %(evidence)s::text[])
        AS f(order_id, provider_id, upstream_id, evidence)
"""
"""The provider made these orders itself; that it lists them is the evidence that binds them, each once (I13)."""
