"""Claiming orders to send."""

CLAIM_DISPATCH = """
    SELECT o.id, o.service_id, o.type, o.link, o.quantity, o.extra, o.charge_micros, w.tries,
           (SELECT count(*) FROM attempt a WHERE a.order_id = o.id AND a.kind = 'add'),
           o.from_parent AND (SELECT p.charge_micros > 0 FROM orders p WHERE p.id = o.parent_id), o.at_a_loss
      FROM work w
      JOIN orders o ON o.id = w.order_id
     WHERE w.kind = 'dispatch' AND w.provider_id = %s AND w.due_at <= %s AND o.state = 'queued'
     ORDER BY w.due_at
     LIMIT %s
       FOR UPDATE OF w, o SKIP LOCKED
"""
"""Due orders that nobody else is touching. Skipping locked orders too means this never waits, so it
cannot deadlock with a cancel, which locks the order first and its work after."""

READ_ROUTES = """
    SELECT r.service_id, r.provider_id, r.upstream_service, r.cost_rate, p.exchange_rate
      FROM route r JOIN provider p ON p.id = r.provider_id AND p.enabled
     WHERE r.service_id = ANY(%s::bigint[])
     ORDER BY r.service_id, r.position, r.id
"""

INSERT_ATTEMPTS = """
    INSERT INTO attempt (order_id, kind, refill_id, n, provider_id, state, lease_until, worker, expected_cost_micros,
                         expected_charge_micros, started_at, body_head, evidence)
    SELECT f.order_id, %s, f.refill_id, f.n, %s, 'sending', %s, %s, f.expected_cost_micros, f.expected_charge_micros,
           %s, '', ''
      FROM unnest(%s::bigint[], %s::bigint[], %s::smallint[], %s::bigint[], %s::bigint[])
        AS f(order_id, refill_id, n, expected_cost_micros, expected_charge_micros)
    RETURNING id, order_id
"""

FIND_DUE = """
    SELECT p.id, k.kind
      FROM provider p JOIN provider_health h ON h.provider_id = p.id CROSS JOIN unnest(%s::text[]) AS k(kind)
     WHERE (k.kind NOT IN ('dispatch', 'refill') OR (
            p.enabled AND (p.pause_kind = '' OR p.paused_until <= %s)
            AND (h.retry_at IS NULL OR h.retry_at <= %s) AND (h.probe_until IS NULL OR h.probe_until <= %s)))
       AND EXISTS (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = p.id AND w.due_at <= %s)
    UNION ALL
    SELECT 0, k.kind FROM unnest(%s::text[]) AS k(kind)
     WHERE EXISTS (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = 0 AND w.due_at <= %s)
"""
"""Which provider has something due, of which kind: one index probe each. A provider that is switched off is sent
nothing, and is still asked about what it has. Number 0 (NO_PROVIDER) stands for work that needs none."""
