"""Subscriptions: placing them, watching feeds for them, and ordering for their posts."""

INSERT_PARENTS = """
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, cost_micros, created_at, updated_at, origin,
                        api_key_id)
    SELECT f.id, f.account_id, f.service_id, f.type, f.state, f.username, f.quantity, f.extra, f.rate, 0, 0, 0, 0, 0,
           %s, %s, f.origin, f.api_key_id
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                  %s::jsonb[], %s::text[], %s::text[], %s::bigint[])
        AS f(id, account_id, service_id, type, state, username, quantity, extra, rate, origin, api_key_id)
"""
"""A subscription costs nothing itself. What it is for, the user name, stands where other orders have their link."""

INSERT_FEEDS = """
    INSERT INTO feed (source, url, host, allow_private, due_at, created_at)
    SELECT f.source, f.url, f.host, f.allow_private, %s, %s
      FROM unnest(%s::text[], %s::text[], %s::text[], %s::boolean[]) AS f(source, url, host, allow_private)
    ON CONFLICT (source, url, allow_private) DO NOTHING
"""
"""A feed that is known already is not touched: its row may be locked by a look, which waits for rows of orders,
which wait for the accounts that are locked here. WAKE_FEEDS has it looked at."""

INSERT_SUBSCRIPTIONS = """
    INSERT INTO subscription (order_id, account_id, feed_id, username, minimum, maximum, posts, posts_left, old_posts,
                              delay_minutes, expiry, parts, created_at)
    SELECT f.order_id, f.account_id, feed.id, f.username, f.minimum, f.maximum, f.posts, f.posts, f.old_posts,
           f.delay_minutes, f.expiry, 0, %s
      FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[],
                  %s::int[], %s::date[], %s::text[], %s::text[], %s::boolean[])
        AS f(order_id, account_id, username, minimum, maximum, posts, old_posts, delay_minutes, expiry, source, url,
             allow_private)
      LEFT JOIN feed ON feed.source = f.source AND feed.url = f.url AND feed.allow_private = f.allow_private
"""

# --- looking at feeds ------------------------------------------------------------------------------

WAKE_FEEDS = """
    UPDATE feed SET due_at = %s
     WHERE id IN (SELECT f.id FROM feed f
                   WHERE f.id IN (SELECT s.feed_id FROM subscription s JOIN orders o ON o.id = s.order_id
                                    JOIN feed g ON g.id = s.feed_id
                                   WHERE s.feed_id IS NOT NULL AND s.looked_at IS NULL
                                     AND o.state IN ('active', 'paused')
                                     AND (g.due_at IS NULL OR (g.due_at > %s AND g.checked_at < s.created_at)))
                     FOR UPDATE SKIP LOCKED)
"""
"""Feeds that somebody has subscribed to since they were last asked. Only subscriptions that saw nothing yet count."""

FIND_WATCHED = """
    SELECT s.feed_id, bool_or(s.looked_at IS NULL)
      FROM subscription s JOIN orders o ON o.id = s.order_id
     WHERE s.feed_id = ANY(%s::bigint[]) AND o.state IN ('active', 'paused')
     GROUP BY s.feed_id
"""
"""The feeds that anybody still watches, and whether one of them has seen no post yet."""

READ_WATCHERS = """
    SELECT s.order_id, s.looked_at, s.old_posts, s.delay_minutes,
           s.posts_left - (SELECT count(*) FROM subscription_post p
                            WHERE p.order_id = s.order_id AND p.child_id IS NULL AND p.is_new
                              AND p.due_at IS NOT NULL)
      FROM subscription s JOIN orders o ON o.id = s.order_id
     WHERE s.feed_id = %s AND o.state IN ('active', 'paused')
     ORDER BY s.order_id
"""
"""Who watches a feed, and for how many more new posts (NULL without a limit)."""

LOCK_WORK = """
    SELECT order_id FROM work WHERE kind = 'subscribe' AND order_id = ANY(%s::bigint[]) ORDER BY order_id FOR UPDATE
"""

INSERT_POSTS = """
    INSERT INTO subscription_post (order_id, key, link, is_new, due_at, seen_at)
    SELECT f.order_id, f.key, f.link, f.is_new, f.due_at, %s
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[], %s::timestamptz[])
        WITH ORDINALITY AS f(order_id, key, link, is_new, due_at, n)
     ORDER BY f.n
    ON CONFLICT (order_id, key) DO NOTHING
"""

HASTEN_WORK = """
    UPDATE work w SET due_at = LEAST(w.due_at, f.due_at)
      FROM unnest(%s::bigint[], %s::timestamptz[]) AS f(order_id, due_at)
     WHERE w.order_id = f.order_id AND w.kind = 'subscribe' AND w.hold_kind IS NULL
"""
"""One that is held is for a person to let go."""

MARK_LOOKED = "UPDATE subscription SET looked_at = %s WHERE order_id = ANY(%s::bigint[]) AND looked_at IS NULL"

# --- ordering for posts ----------------------------------------------------------------------------

FIND_DUE = """
    SELECT EXISTS (SELECT FROM feed WHERE due_at <= %s)
        OR EXISTS (SELECT FROM subscription s JOIN account a ON a.id = s.account_id
                    WHERE s.needed_micros IS NOT NULL AND a.balance_micros + a.credit_limit_micros >= s.needed_micros)
        OR EXISTS (SELECT FROM subscription s JOIN orders o ON o.id = s.order_id JOIN feed g ON g.id = s.feed_id
                    WHERE s.feed_id IS NOT NULL AND s.looked_at IS NULL AND o.state IN ('active', 'paused')
                      AND (g.due_at IS NULL OR (g.due_at > %s AND g.checked_at < s.created_at)))
"""
"""Whether subscriptions have anything to do beside their work: index probes, over paused and new ones only."""

RESUME = """
    UPDATE work SET due_at = %s
     WHERE (order_id, kind) IN (
           SELECT w.order_id, w.kind FROM subscription s
             JOIN account a ON a.id = s.account_id
             JOIN work w ON w.order_id = s.order_id AND w.kind = 'subscribe'
            WHERE s.needed_micros IS NOT NULL AND a.balance_micros + a.credit_limit_micros >= s.needed_micros
              AND (w.due_at IS NULL OR w.due_at > %s) AND w.hold_kind IS NULL
              FOR UPDATE OF w SKIP LOCKED)
"""
"""Subscriptions that wait for funds which are there now."""

CLAIM_SUBSCRIPTIONS = """
    SELECT o.id, o.account_id, o.service_id, o.state, o.provider_id, s.feed_id IS NOT NULL, o.rate, s.username,
           s.minimum, s.maximum, s.posts_left, s.expiry, s.parts, s.looked_at IS NOT NULL, s.needed_micros,
           o.cancel_requested_at IS NOT NULL
      FROM work w JOIN orders o ON o.id = w.order_id JOIN subscription s ON s.order_id = w.order_id
     WHERE w.kind = 'subscribe' AND w.provider_id = 0 AND w.due_at <= %s AND w.hold_kind IS NULL
     ORDER BY w.due_at
     LIMIT %s
       FOR UPDATE OF w, o SKIP LOCKED
"""
"""Like claiming orders to send, this waits for nobody, so it cannot deadlock with a cancel or a look."""

READ_WAITING = """
    SELECT f.order_id, p.id, p.key, p.link, p.is_new, p.quantity
      FROM unnest(%s::bigint[]) AS f(order_id)
      CROSS JOIN LATERAL (SELECT id, key, link, is_new, quantity FROM subscription_post
                           WHERE order_id = f.order_id AND child_id IS NULL AND due_at <= %s
                           ORDER BY id LIMIT %s) p
     ORDER BY f.order_id, p.id
"""

COUNT_WAITING = """
    SELECT order_id, count(*) FROM subscription_post
     WHERE order_id = ANY(%s::bigint[]) AND child_id IS NULL AND due_at IS NOT NULL
     GROUP BY order_id
"""

INSERT_CHILDREN = """
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, cost_micros, provider_id, upstream_id, parent_id,
                        part, from_parent, created_at, updated_at, origin)
    SELECT f.id, f.account_id, f.service_id, 'Default', f.state, f.link, f.quantity, NULL, f.rate, f.charge_micros,
           0, 0, 0, f.cost_micros, f.provider_id, f.upstream_id, f.parent_id, f.part, false, %s, %s, 'subscription'
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[],
                  %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[])
        AS f(id, account_id, service_id, state, link, quantity, rate, charge_micros, cost_micros, provider_id,
             upstream_id, parent_id, part)
"""

BIND_POSTS = """
    UPDATE subscription_post p SET child_id = f.child_id, quantity = f.quantity
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS f(id, child_id, quantity) WHERE p.id = f.id
"""

SET_ASIDE = """
    UPDATE subscription_post p SET due_at = NULL, is_aside = true, problem = f.problem
      FROM unnest(%s::bigint[], %s::text[]) AS f(id, problem) WHERE p.id = f.id
"""
"""Posts that cannot be ordered for: they stay, so that they are not found again."""

DROP_WAITING = "DELETE FROM subscription_post WHERE order_id = ANY(%s::bigint[]) AND child_id IS NULL"

NEED_NOTHING = """
    UPDATE subscription SET needed_micros = NULL WHERE order_id = ANY(%s::bigint[]) AND needed_micros IS NOT NULL
"""
"""Of subscriptions that end while they wait for funds: else every credit from then on would find them waiting."""

UPDATE_SUBSCRIPTIONS = """
    UPDATE subscription s SET parts = f.parts, posts_left = f.posts_left, needed_micros = f.needed_micros
      FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[]) AS f(order_id, parts, posts_left, needed_micros)
     WHERE s.order_id = f.order_id
"""

NEXT_WORK = """
    UPDATE work w
       SET due_at = LEAST(f.latest, (SELECT min(p.due_at) FROM subscription_post p
                                      WHERE NOT f.waits AND p.order_id = w.order_id AND p.child_id IS NULL))
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::boolean[]) AS f(order_id, latest, waits)
     WHERE w.order_id = f.order_id AND w.kind = 'subscribe'
"""
"""Due again when the next post is, at the latest at `latest` (NULL: not before an event); one that `waits` for funds,
only then. LEAST leaves NULLs out."""
