"""Claiming orders to send, and settling what came of it."""

CLAIM_DISPATCH = """
    SELECT o.id, o.account_id, o.service_id, o.type, o.link, o.quantity, o.extra, o.charge_micros, w.tries,
           (SELECT count(*) FROM attempt a WHERE a.order_id = o.id AND a.kind = 'add'),
           o.from_parent AND (SELECT p.charge_micros > 0 FROM orders p WHERE p.id = o.parent_id)
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
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, expected_cost_micros, started_at,
                         body_head, evidence)
    SELECT f.order_id, 'add', f.n, %s, 'sending', %s, %s, f.expected_cost_micros, %s, '', ''
      FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[]) AS f(order_id, n, expected_cost_micros)
    RETURNING id, order_id
"""

LOCK_ATTEMPTS = """
    SELECT a.id, a.state, a.n, a.provider_id, a.worker,
           o.id, o.state, o.service_id, o.cancel_requested_at IS NOT NULL,
           o.account_id, o.quantity, o.charge_micros, o.refunded_micros, o.earned_micros, o.settlements
      FROM attempt a JOIN orders o ON o.id = a.order_id
     WHERE a.id = ANY(%s::bigint[]) AND a.state IN ('sending', 'unknown')
     ORDER BY o.id
       FOR UPDATE OF a, o
"""

FIND_BOUND = """
    SELECT a.provider_id, a.upstream_id
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(provider_id, upstream_id)
      JOIN attempt a ON a.provider_id = f.provider_id AND a.kind = 'add' AND a.upstream_id = f.upstream_id
     UNION
    SELECT o.provider_id, o.upstream_id
      FROM unnest(%s::bigint[], %s::bigint[]) AS f(provider_id, upstream_id)
      JOIN orders o ON o.provider_id = f.provider_id AND o.upstream_id = f.upstream_id
"""
"""Upstream ids that already belong to an order, by an attempt of ours or brought along with an order that was
bought elsewhere: no second one may claim them (I13)."""

SETTLE_ATTEMPTS = """
    UPDATE attempt a
       SET state = f.state, done_at = %s, http_status = COALESCE(f.http_status, a.http_status),
           body_head = COALESCE(NULLIF(f.body_head, ''), a.body_head), upstream_id = f.upstream_id,
           evidence = concat_ws(E'\n', NULLIF(a.evidence, ''), f.evidence)
      FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::text[], %s::bigint[], %s::text[])
        AS f(id, state, http_status, body_head, upstream_id, evidence)
     WHERE a.id = f.id
"""
"""What was observed before stays: evidence grows line by line."""

READ_DECIDED = """
    SELECT id, order_id, n, state, upstream_id FROM attempt
     WHERE id = ANY(%s::bigint[]) AND state NOT IN ('sending', 'unknown')
"""

INSERT_EVIDENCE = """
    INSERT INTO attempt_evidence (attempt_id, at, kind, text, facts)
    SELECT f.attempt_id, %s, f.kind, f.text, f.facts
      FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::jsonb[]) AS f(attempt_id, kind, text, facts)
"""

FIND_EXPIRED = """
    SELECT a.id, a.order_id, a.worker FROM attempt a
     WHERE a.state = 'sending' AND a.lease_until < %s
     ORDER BY a.lease_until LIMIT 500
"""
"""Not locked here: LOCK_ATTEMPTS locks them as it always does, and looks again at their state."""

FIND_OF_CLAIM = "SELECT id, order_id FROM attempt WHERE worker = %s AND state = 'sending'"

FIND_DUE = """
    SELECT p.id, k.kind
      FROM provider p CROSS JOIN unnest(%s::text[]) AS k(kind)
     WHERE p.enabled
       AND (k.kind <> 'dispatch' OR p.paused_until IS NULL OR p.paused_until <= %s)
       AND EXISTS (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = p.id AND w.due_at <= %s)
    UNION ALL
    SELECT 0, k.kind FROM unnest(%s::text[]) AS k(kind)
     WHERE EXISTS (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = 0 AND w.due_at <= %s)
"""
"""Which provider has something due, of which kind: one index probe each. Number 0 (NO_PROVIDER) stands for
work that needs none."""
