"""Orders that wait for a provider that takes none, and who else could take them."""

FIND_STRANDED = """
    WITH free AS MATERIALIZED (
        SELECT p.id FROM provider p JOIN provider_health h ON h.provider_id = p.id
         WHERE p.enabled AND (p.pause_kind = '' OR p.paused_until <= %s)
           AND (h.retry_at IS NULL OR h.retry_at <= %s)),
    closed AS MATERIALIZED (
        SELECT p.id FROM provider p JOIN provider_health h ON h.provider_id = p.id
         WHERE (NOT p.enabled OR h.retry_at > %s)
           AND EXISTS (SELECT FROM work w WHERE w.kind = 'dispatch' AND w.provider_id = p.id AND w.due_at <= %s))
    SELECT o.id, o.service_id, o.type, o.quantity, o.charge_micros, o.from_parent, o.at_a_loss,
           w.provider_id, w.tries,
           ARRAY(SELECT r.provider_id FROM route r JOIN free ON free.id = r.provider_id
                  WHERE r.service_id = o.service_id ORDER BY r.position, r.id)
      FROM work w
      JOIN closed ON closed.id = w.provider_id
      JOIN orders o ON o.id = w.order_id AND o.state = 'queued'
     WHERE w.kind = 'dispatch' AND w.due_at <= %s
       AND EXISTS (SELECT FROM route r JOIN free ON free.id = r.provider_id WHERE r.service_id = o.service_id)
     ORDER BY w.due_at LIMIT %s
       FOR UPDATE OF w, o SKIP LOCKED
"""
"""Due orders whose provider is switched off or has an open breaker, and the providers that could take each, best
first. Nothing is looked at while no provider is like that."""

FIND_REFUSALS = """
    SELECT order_id, provider_id FROM attempt
     WHERE order_id = ANY(%s::bigint[]) AND kind = 'add' AND state = 'rejected' AND reason = %s
"""

LOOK_AGAIN = """
    WITH looked AS (
        SELECT w.order_id,
               CASE WHEN EXISTS (SELECT FROM route r
                                  WHERE r.service_id = o.service_id AND r.provider_id = w.provider_id)
                    THEN w.provider_id
                    ELSE COALESCE((SELECT r.provider_id FROM route r JOIN provider p ON p.id = r.provider_id
                                    WHERE r.service_id = o.service_id
                                    ORDER BY p.enabled DESC, r.position, r.id LIMIT 1), w.provider_id)
               END AS provider_id
          FROM work w JOIN orders o ON o.id = w.order_id
         WHERE w.kind = 'dispatch' AND o.state = 'queued' AND o.service_id = ANY(%s::bigint[])
           FOR UPDATE OF w)
    UPDATE work w
       SET provider_id = l.provider_id, hold = '', hold_kind = NULL,
           due_at = CASE WHEN w.hold_kind IS NULL THEN w.due_at ELSE %s END
      FROM looked l
     WHERE w.order_id = l.order_id AND w.kind = 'dispatch'
       AND (w.hold_kind IS NOT NULL OR w.provider_id <> l.provider_id)
"""
"""What is held is looked at again, and what waits for a provider that is no route of its service any more goes to
the best one that is."""
