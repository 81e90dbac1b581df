"""What must always hold of subscriptions."""

from hawker.core.invariants import Invariant

SUBSCRIPTION_INVARIANTS = (
    Invariant(
        "subscriptions",
        "a subscription costs nothing itself, has one order for each post that was ordered for, and its next work",
        "SELECT count(*) FROM subscription",
        """WITH family AS (
               SELECT o.id, o.state, o.charge_micros, o.type, s.*,
                      (SELECT count(*) FROM orders c WHERE c.parent_id = o.id) AS children,
                      (SELECT COALESCE(max(c.part), 0) FROM orders c WHERE c.parent_id = o.id) AS last_part,
                      (SELECT count(*) FROM orders c WHERE c.parent_id = o.id
                          AND (c.from_parent OR c.service_id <> o.service_id OR c.quantity > s.maximum)) AS unlike,
                      (SELECT count(*) FROM subscription_post p JOIN orders c ON c.id = p.child_id
                        WHERE p.order_id = o.id AND c.parent_id = o.id AND c.quantity = p.quantity) AS bound,
                      (SELECT count(*) FROM subscription_post p WHERE p.order_id = o.id AND p.child_id IS NOT NULL)
                          AS ordered,
                      (SELECT count(*) FROM subscription_post p WHERE p.order_id = o.id AND p.child_id IS NOT NULL
                          AND p.is_new) AS ordered_new,
                      (SELECT count(*) FROM subscription_post p WHERE p.order_id = o.id AND p.child_id IS NULL
                          AND p.due_at IS NOT NULL) AS waiting
                 FROM orders o FULL JOIN subscription s ON s.order_id = o.id
                WHERE (o.type = 'Subscriptions' AND o.parent_id IS NULL) OR s.order_id IS NOT NULL)
           SELECT format('subscription %s: the order or its terms are missing', COALESCE(id, order_id))
             FROM family WHERE id IS NULL OR order_id IS NULL
            UNION ALL
           SELECT format('subscription %s: is charged %s itself', id, charge_micros)
             FROM family WHERE charge_micros <> 0
            UNION ALL
           SELECT format('subscription %s: %s orders made; there are %s, numbered to %s, for %s posts, %s of them '
                         'its own', id, parts, children, last_part, ordered, bound)
             FROM family WHERE parts <> children OR parts <> last_part OR parts <> ordered OR ordered <> bound
            UNION ALL
           SELECT format('subscription %s: %s orders of another service, over the most a post may get, or paid by it',
                         id, unlike) FROM family WHERE unlike > 0
            UNION ALL
           SELECT format('subscription %s: %s new posts asked for, %s ordered for, %s left', id, posts, ordered_new,
                         posts_left) FROM family WHERE posts IS NOT NULL AND posts - ordered_new <> posts_left
            UNION ALL
           SELECT format('subscription %s: %s, and %s posts still wait', id, state, waiting)
             FROM family WHERE state IN ('completed', 'canceled', 'expired') AND waiting > 0
            UNION ALL
           SELECT format('subscription %s: %s, but waits for funds', id, state)
             FROM family WHERE needed_micros IS NOT NULL AND state <> 'paused'
            UNION ALL
           SELECT format('subscription %s: %s, without the work that brings it on', id, state)
             FROM family WHERE state IN ('active', 'paused') AND NOT EXISTS (
                    SELECT FROM work w WHERE w.order_id = family.id
                       AND w.kind = CASE WHEN feed_id IS NULL THEN 'poll' ELSE 'subscribe' END)
            UNION ALL
           SELECT format('subscription %s: posts wait for it, and nothing is due', id)
             FROM family WHERE waiting > 0 AND NOT EXISTS (
                    SELECT FROM work w WHERE w.order_id = family.id AND w.kind = 'subscribe')
            UNION ALL
           SELECT format('post %s: of an order that is no subscription', p.id) FROM subscription_post p
            WHERE NOT EXISTS (SELECT FROM subscription s WHERE s.order_id = p.order_id)""",
    ),
)
