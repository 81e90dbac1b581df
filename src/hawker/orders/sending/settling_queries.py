"""Settling attempts: locked with their orders, ruled on, written down."""

LOCK_ATTEMPTS = """
    SELECT a.id, a.kind, a.state, a.n, a.provider_id, a.worker, a.lease_until, a.refill_id,
           o.id, o.state, o.service_id, o.cancel_requested_at IS NOT NULL,
           o.account_id, o.quantity, o.charge_micros, o.refunded_micros, o.earned_micros, o.settlements
      FROM attempt a JOIN orders o ON o.id = a.order_id
     WHERE a.id = ANY(%s::bigint[]) AND a.state IN ('sending', 'unknown')
     ORDER BY o.id
       FOR UPDATE OF a, o
"""

FIND_BOUND = """
    WITH f AS (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS f(provider_id, kind, upstream_id))
    SELECT f.provider_id, f.kind, f.upstream_id
      FROM f JOIN attempt a ON a.provider_id = f.provider_id AND a.kind = f.kind AND a.upstream_id = f.upstream_id
     UNION
    SELECT f.provider_id, f.kind, f.upstream_id
      FROM f JOIN orders o ON o.provider_id = f.provider_id AND o.upstream_id = f.upstream_id AND f.kind = 'add'
"""
"""Upstream ids that already belong to an order or a refill, by an attempt of ours or brought along with an order
that was bought elsewhere: no second one may claim them (I13)."""

SETTLE_ATTEMPTS = """
    UPDATE attempt a
       SET state = f.state, done_at = %s, http_status = COALESCE(f.http_status, a.http_status),
           body_head = COALESCE(NULLIF(f.body_head, ''), a.body_head), upstream_id = f.upstream_id,
           reason = f.reason, evidence = concat_ws(E'\n', NULLIF(a.evidence, ''), f.evidence)
      FROM unnest(%s::bigint[], %s::text[], %s::smallint[], %s::text[], %s::bigint[], %s::text[],
                  %s::text[])
        AS f(id, state, http_status, body_head, upstream_id, evidence, reason)
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
