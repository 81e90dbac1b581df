"""What must always hold of refills and cancels."""

from hawker.core.invariants import Invariant

REFILL_INVARIANTS = (
    Invariant(
        "refills",
        "a refill has at most one live attempt, and its state, its attempt and its work agree",
        "SELECT count(*) FROM refill",
        """WITH live AS (SELECT refill_id, state, upstream_id FROM attempt
                          WHERE kind = 'refill' AND state IN ('sending', 'unknown', 'accepted')),
                due AS (SELECT order_id, string_agg(kind, ' and ' ORDER BY kind) AS kinds FROM work
                         WHERE kind IN ('refill', 'follow') GROUP BY order_id)
           SELECT format('refill %s: %s live attempts', refill_id, count(*)) FROM live
            GROUP BY refill_id HAVING count(*) > 1
            UNION ALL
           SELECT format('refill %s: %s at provider %s, its attempt %s, due is %s', r.id, r.state,
                         COALESCE(r.provider_id::text, 'none'), COALESCE(l.state, 'none'), COALESCE(d.kinds, 'nothing'))
             FROM refill r LEFT JOIN live l ON l.refill_id = r.id LEFT JOIN due d ON d.order_id = r.order_id
            WHERE r.state IN ('pending', 'in_progress')
              AND (COALESCE(d.kinds, '') <> CASE WHEN r.provider_id IS NULL OR l.state = 'unknown' THEN ''
                                                 WHEN l.state = 'accepted' THEN 'follow' ELSE 'refill' END
                   OR (r.provider_id IS NULL AND l.state IS NOT NULL)
                   OR (r.provider_id IS NOT NULL AND r.state = 'in_progress' AND l.state IS DISTINCT FROM 'accepted'))
            UNION ALL
           SELECT format('refill %s: %s, but its attempt is %s', r.id, r.state, l.state)
             FROM refill r JOIN live l ON l.refill_id = r.id
            WHERE r.state IN ('completed', 'rejected') AND l.state <> 'accepted'
            UNION ALL
           SELECT format('refill %s: bound to %s, its attempt to %s', r.id, r.upstream_id, l.upstream_id)
             FROM refill r LEFT JOIN live l ON l.refill_id = r.id AND l.state = 'accepted'
            WHERE r.upstream_id IS DISTINCT FROM l.upstream_id
            UNION ALL
           SELECT format('order %s: %s is due without a refill that runs', d.order_id, d.kinds) FROM due d
            WHERE NOT EXISTS (SELECT FROM refill r WHERE r.order_id = d.order_id
                                                     AND r.state IN ('pending', 'in_progress'))
            UNION ALL
           SELECT format('refill %s: of account %s, for order %s (%s) of account %s', r.id, r.account_id, o.id, o.state,
                         o.account_id)
             FROM refill r JOIN orders o ON o.id = r.order_id
            WHERE r.account_id <> o.account_id OR o.state NOT IN ('completed', 'partial')
            UNION ALL
           SELECT format('order %s: %s, ended at %s', id, state, ended_at) FROM orders
            WHERE (ended_at IS NULL) = (state IN ('completed', 'partial', 'canceled', 'expired'))
            UNION ALL
           SELECT format('attempt %s: for order %s, of a refill of order %s', a.id, a.order_id, r.order_id)
             FROM attempt a JOIN refill r ON r.id = a.refill_id WHERE a.order_id <> r.order_id""",
    ),
    Invariant(
        "cancels",
        "a cancel that was asked for is carried out where the order is",
        "SELECT count(*) FROM orders WHERE cancel_requested_at IS NOT NULL",
        """SELECT format('order %s: %s although a cancel of it was asked for', o.id, o.state)
             FROM orders o WHERE o.cancel_requested_at IS NOT NULL AND o.state IN ('queued', 'rejected')
            UNION ALL
           SELECT format('order %s: %s, a cancel is due at provider %s, asked for at %s, upstream %s', o.id, o.state,
                         w.provider_id, o.cancel_requested_at, o.upstream_id)
             FROM work w JOIN orders o ON o.id = w.order_id
            WHERE w.kind = 'cancel'
              AND (o.cancel_requested_at IS NULL OR o.upstream_id IS NULL OR o.provider_id <> w.provider_id)""",
    ),
)
