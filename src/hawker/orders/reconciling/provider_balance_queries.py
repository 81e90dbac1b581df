"""What we know of money that moved at a provider, and attempts that stay unknown."""

LAST_READING = """
    SELECT at, balance_micros FROM balance_reading
     WHERE provider_id = %s AND at <= %s ORDER BY at DESC, id DESC LIMIT 1
"""

FIRST_READING = """
    SELECT at, balance_micros FROM balance_reading
     WHERE provider_id = %s AND at >= %s ORDER BY at, id LIMIT 1
"""

SUM_CHARGES = """
    SELECT COALESCE(sum(charge) FILTER (WHERE certain), 0)::bigint,
           COALESCE(sum(charge) FILTER (WHERE NOT certain), 0)::bigint, count(*)
      FROM (SELECT GREATEST(a.expected_charge_micros, o.upstream_charge_micros) AS charge,
                   a.state = 'accepted' AND a.started_at > f.after + make_interval(secs => %s)
                       AND LEAST(a.done_at, a.lease_until) <= f.until AS certain
              FROM (SELECT %s::timestamptz AS after, %s::timestamptz AS until) f
              JOIN attempt a ON a.started_at > f.after - interval '10 minutes'
                            AND a.started_at <= f.until + make_interval(secs => %s)
              JOIN orders o ON o.id = a.order_id
             WHERE a.provider_id = %s AND a.kind = 'add' AND a.id <> %s
               AND a.state IN ('accepted', 'sending', 'unknown', 'manual')
               AND CASE WHEN a.state = 'accepted' THEN LEAST(a.done_at, a.lease_until) ELSE a.lease_until END
                   > f.after) AS moved
"""
"""What orders may have cost between two readings: those charged between them for certain, and those that may have been
charged before, between or after, or not at all. A provider takes up to some seconds to answer with a balance."""

HAS_RELAYS = """
    SELECT 1 FROM subscription s JOIN orders o ON o.id = s.order_id
     WHERE o.provider_id = %s AND o.upstream_id IS NOT NULL AND (o.ended_at IS NULL OR o.ended_at >= %s) LIMIT 1
"""

FIND_LINGERING = """
    SELECT a.order_id, a.kind, a.n, p.name, a.started_at, a.evidence,
           (SELECT e.text FROM attempt_evidence e WHERE e.attempt_id = a.id ORDER BY e.id DESC LIMIT 1)
      FROM attempt a JOIN provider p ON p.id = a.provider_id
     WHERE a.state = 'unknown' AND a.started_at <= %s
     ORDER BY a.started_at LIMIT 1000
"""

CLOSE_CLEARED = """
    UPDATE alert SET closed_at = %s, closed_by = 'it is not unknown any more'
     WHERE kind = 'unknown_attempt' AND closed_at IS NULL
       AND NOT EXISTS (SELECT FROM attempt a
                        WHERE a.state = 'unknown'
                          AND alert.subject_kind = CASE a.kind WHEN 'add' THEN 'order' ELSE 'refill' END
                          AND alert.subject_id = a.order_id::text)
"""
