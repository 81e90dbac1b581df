"""Clearing up unknowns: what is due, what is known around each, and what of a window is ours."""

CLAIM_RECONCILES = """
    WITH due AS (
        SELECT order_id FROM work
         WHERE kind = 'reconcile' AND provider_id = %s AND due_at <= %s
         ORDER BY due_at LIMIT %s
           FOR UPDATE SKIP LOCKED)
    UPDATE work w SET due_at = %s
      FROM due WHERE w.order_id = due.order_id AND w.kind = 'reconcile'
    RETURNING w.order_id, w.tries
"""
"""Leased by moving them into the future, as polls are."""

READ_SIBLINGS = """
    SELECT s.id, p.currency, p.reconcile_scan, p.statuses_per_minute
      FROM provider p JOIN provider s ON lower(s.url) = lower(p.url)
     WHERE p.id = %s
"""
"""The provider and those that are the same panel by its address: one row of numbers."""

READ_UNKNOWN = """
    SELECT a.id FROM attempt a WHERE a.order_id = ANY(%s::bigint[]) AND a.kind = 'add' AND a.state = 'unknown'
"""

_ENDED = """CASE WHEN {0}.http_status < 520 AND {0}.http_status NOT IN (408, 499, 502, 503, 504)
                THEN LEAST({0}.done_at + %s::interval, {0}.lease_until) ELSE {0}.lease_until END"""
"""The last moment at which an attempt can have been carried out. A whole answer of the panel itself ends it, however
senseless it is; not one of a gateway in front of it, which may only have tired of waiting."""

READ_DOUBTS = f"""
    SELECT a.id, a.order_id, a.started_at, COALESCE(a.done_at, a.lease_until), {_ENDED.format("a")},
           a.expected_charge_micros, o.quantity,
           (SELECT count(*) FROM attempt b
             WHERE b.order_id = a.order_id AND b.kind = 'add' AND b.state = 'not_created'),
           a.state = 'unknown'
      FROM attempt a JOIN orders o ON o.id = a.order_id
     WHERE a.provider_id = ANY(%s::bigint[]) AND a.kind = 'add' AND a.state IN ('unknown', 'manual', 'not_created')
       AND a.started_at >= %s
       AND (a.state <> 'not_created'
            OR EXISTS (SELECT FROM attempt_evidence e WHERE e.attempt_id = a.id AND e.kind = 'decision'))
     ORDER BY a.id
"""
"""Attempts since a moment of which nobody knows whether they made an order: the unknown ones, and those that a person
has decided otherwise than by a number."""

FIRST_SENDING = """
    SELECT min(started_at) FROM attempt WHERE provider_id = ANY(%s::bigint[]) AND kind = 'add' AND state = 'sending'
"""

READ_NEIGHBOURS = f"""
    SELECT d.id, n.is_before, n.upstream_id, n.started_at, n.done_at
      FROM (SELECT a.id, a.started_at, a.done_at, {_ENDED.format("a")} AS ended_at
              FROM attempt a WHERE a.id = ANY(%s::bigint[])) AS d
     CROSS JOIN unnest(%s::bigint[]) AS s(provider_id)
     CROSS JOIN LATERAL (
        (SELECT true AS is_before, a.upstream_id, a.started_at, a.done_at FROM attempt a
          WHERE a.provider_id = s.provider_id AND a.kind = 'add' AND a.state = 'accepted' AND NOT a.made_by_provider
            AND a.id < d.id
            AND a.done_at <= d.started_at - %s::interval
          ORDER BY a.id DESC LIMIT %s)
        UNION ALL
        (SELECT false, a.upstream_id, a.started_at, a.done_at FROM attempt a
          WHERE a.provider_id = s.provider_id AND a.kind = 'add' AND a.state = 'accepted' AND NOT a.made_by_provider
            AND a.id > d.id
            AND a.started_at >= d.ended_at
          ORDER BY a.id LIMIT %s)
        UNION ALL
        (SELECT false, a.upstream_id, a.started_at, a.done_at FROM attempt a
          WHERE a.provider_id = s.provider_id AND a.kind = 'add' AND a.state = 'accepted' AND NOT a.made_by_provider
            AND a.id > d.id
            AND a.started_at >= d.done_at + %s::interval
          ORDER BY a.id LIMIT 5)) n
"""
"""Orders with known numbers close to each attempt: answered before it was sent, and sent after it was over. Not those
that a provider made for a subscription: when those got their numbers is not when we heard of them."""

READ_BOUND = """
    SELECT a.upstream_id, CASE WHEN a.state = 'accepted' AND NOT a.made_by_provider THEN a.started_at END, a.done_at
      FROM attempt a
     WHERE a.provider_id = ANY(%s::bigint[]) AND a.kind = 'add' AND a.upstream_id > %s AND a.upstream_id < %s
    UNION ALL
    SELECT o.upstream_id, NULL, NULL FROM orders o
     WHERE o.provider_id = ANY(%s::bigint[]) AND o.upstream_id > %s AND o.upstream_id < %s
"""
"""Numbers of ours, with the moments between which each was given where the attempt that made it tells."""

READ_RELAYS = """
    SELECT o.created_at, o.ended_at
      FROM subscription s JOIN orders o ON o.id = s.order_id
     WHERE o.provider_id = ANY(%s::bigint[]) AND o.upstream_id IS NOT NULL
       AND (o.ended_at IS NULL OR o.ended_at >= %s)
"""
"""Subscriptions that a provider runs, since a moment: it makes orders for them under our key."""

READ_RESTORES = "SELECT taken_at, restored_at FROM restore"
"""When this database was restored: in each span the panel ordered elsewhere, under the same keys."""

_NUMBER = "CASE WHEN p.key ~ '^[0-9]{1,18}$' THEN p.key::bigint END"

READ_LISTED = f"""
    SELECT {_NUMBER}
      FROM subscription_post p JOIN orders o ON o.id = p.order_id
     WHERE o.provider_id = ANY(%s::bigint[]) AND o.upstream_id IS NOT NULL
       AND p.key ~ '^[0-9]{{1,18}}$' AND {_NUMBER} > %s AND {_NUMBER} < %s
"""
"""Orders that a provider has told to be a subscription's, charged or not yet."""

READ_LOOKS = """
    SELECT attempt_id, at, facts FROM attempt_evidence
     WHERE attempt_id = ANY(%s::bigint[]) AND kind = 'scan' AND facts IS NOT NULL
     ORDER BY id
"""

LAST_TEXTS = """
    SELECT DISTINCT ON (attempt_id) attempt_id, text FROM attempt_evidence
     WHERE attempt_id = ANY(%s::bigint[]) ORDER BY attempt_id, id DESC
"""

PUT_OFF = """
    UPDATE work w SET due_at = f.due_at, tries = f.tries, hold = f.hold, hold_kind = f.hold_kind
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::int[], %s::text[], %s::text[])
        AS f(order_id, due_at, tries, hold, hold_kind)
     WHERE w.order_id = f.order_id AND w.kind = 'reconcile'
"""

LOOK_NOW = """
    UPDATE work SET due_at = LEAST(due_at, %s), tries = 0
     WHERE kind = 'reconcile' AND provider_id = %s AND hold_kind = 'person'
"""
"""Something has changed that may settle unknowns which were left to a person."""

LOCK_UNKNOWN = """
    SELECT a.id, a.provider_id, p.name
      FROM attempt a JOIN orders o ON o.id = a.order_id JOIN provider p ON p.id = a.provider_id
     WHERE a.order_id = %s AND a.kind = 'add' AND a.state = 'unknown' AND o.state = 'unknown'
       FOR UPDATE OF a, o
"""

OWNER_OF = """
    SELECT a.order_id FROM attempt a
     WHERE a.provider_id = ANY(%s::bigint[]) AND a.kind = 'add' AND a.upstream_id = %s
    UNION
    SELECT o.id FROM orders o WHERE o.provider_id = ANY(%s::bigint[]) AND o.upstream_id = %s
"""
