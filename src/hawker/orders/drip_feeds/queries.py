"""Drip-feeds: placed as parents, their runs started as children, their ends counted."""

INSERT_DRIPS = """
    WITH f AS (
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[],
                             %s::jsonb[], %s::text[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::bigint[])
            AS f(id, account_id, service_id, type, link, quantity, extra, rate, charge_micros, runs, interval_minutes,
                 origin, api_key_id)),
    planned AS (
        INSERT INTO drip (order_id, interval_minutes, started, ended, stops_after)
        SELECT f.id, f.interval_minutes, 0, 0, f.runs FROM f),
    due AS (
        INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
        SELECT f.id, 'drip', 0, %s, 0, '' FROM f)
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, runs, created_at, updated_at, origin, api_key_id)
    SELECT f.id, f.account_id, f.service_id, f.type, 'active', f.link, f.quantity, f.extra, f.rate, f.charge_micros,
           0, 0, 0, f.runs, %s, %s, f.origin, f.api_key_id
      FROM f
"""
"""Only batches that hold a drip-feed send this; the first run is due at once."""

CLAIM_DRIPS = """
    SELECT o.id, o.quantity, o.charge_micros, o.runs, d.interval_minutes, d.started, d.ended, d.stops_after,
           w.due_at, r.provider_id, r.cost_rate,
           EXISTS (SELECT FROM work q WHERE q.order_id = last.id AND q.kind = 'dispatch'),
           (SELECT max(a.started_at) FROM attempt a WHERE a.order_id = last.id AND a.kind = 'add')
      FROM work w
      JOIN drip d ON d.order_id = w.order_id
      JOIN orders o ON o.id = w.order_id
      LEFT JOIN LATERAL (SELECT provider_id, cost_rate FROM route
                          WHERE service_id = o.service_id ORDER BY position, id LIMIT 1) r ON true
      LEFT JOIN LATERAL (SELECT id FROM orders c WHERE c.parent_id = o.id AND c.part = d.started) last ON true
     WHERE w.kind = 'drip' AND w.provider_id = 0 AND w.due_at <= %s AND o.state = 'active'
     ORDER BY w.due_at
     LIMIT %s
       FOR UPDATE OF w, d, o SKIP LOCKED
"""
"""Due drip-feeds that nobody else is touching, each with its first route and what became of its last run.
Locked rows are skipped, so that this never waits: an ending run and a cancel lock in other orders."""

START_RUNS = """
    WITH f AS (
        SELECT * FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
            AS f(parent_id, part, quantity, charge_micros, cost_micros, provider_id)),
    counted AS (
        UPDATE drip d SET started = f.part FROM f WHERE d.order_id = f.parent_id),
    handed AS (
        UPDATE orders p SET handed_micros = p.handed_micros + f.charge_micros, updated_at = %s
          FROM f WHERE p.id = f.parent_id),
    run AS (
        INSERT INTO orders (account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                            refunded_micros, earned_micros, settlements, cost_micros, parent_id, part, from_parent,
                            created_at, updated_at, origin)
        SELECT p.account_id, p.service_id, p.type, 'queued', p.link, f.quantity, p.extra, p.rate, f.charge_micros,
               0, 0, 0, f.cost_micros, p.id, f.part, true, %s, %s, 'drip_feed'
          FROM f JOIN orders p ON p.id = f.parent_id
        RETURNING id, parent_id)
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
    SELECT run.id, 'dispatch', f.provider_id, %s, 0, ''
      FROM run JOIN f ON f.parent_id = run.parent_id WHERE f.provider_id IS NOT NULL
"""
"""A run of each: the order, its share handed down, its number counted, and its sending due. What the parent
says is read from the parent itself, which the caller has locked."""

COUNT_ENDED = """
    WITH counted AS (
        UPDATE drip d SET ended = d.ended + f.ended
          FROM (SELECT parent_id, count(*) AS ended FROM unnest(%s::bigint[]) AS e(parent_id) GROUP BY parent_id) f
         WHERE d.order_id = f.parent_id
        RETURNING d.order_id, d.ended = d.stops_after AS over)
    UPDATE work w SET due_at = %s FROM counted WHERE counted.over AND w.order_id = counted.order_id AND w.kind = 'drip'
"""
"""One mention of its drip-feed per ended run; a drip-feed whose last run has ended is due, to be ended itself."""

READ_FOR_STOP = """
    SELECT o.id, o.runs, o.charge_micros - o.refunded_micros - o.handed_micros, d.started, d.ended
      FROM orders o JOIN drip d ON d.order_id = o.id WHERE o.id = ANY(%s::bigint[])
"""
"""What is left of each drip-feed. While the caller holds the orders' locks no run is started."""

OPEN_RUNS = """
    SELECT id FROM orders
     WHERE parent_id = ANY(%s::bigint[]) AND state NOT IN ('completed', 'partial', 'canceled') ORDER BY id
"""

STOP_DRIPS = """
    WITH stopped AS (
        UPDATE drip SET stops_after = started WHERE order_id = ANY(%s::bigint[]) RETURNING order_id)
    UPDATE work w SET due_at = %s FROM stopped WHERE w.order_id = stopped.order_id AND w.kind = 'drip'
"""
"""The run started last is the last. Due at once, because that one may have ended already."""

READ_RUNS_ENDED = """
    SELECT parent_id, count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE state = 'canceled'),
           sum(COALESCE(remains, quantity))::bigint
      FROM orders WHERE parent_id = ANY(%s::bigint[]) GROUP BY parent_id
"""
"""How the runs of these drip-feeds ended, and what they left undelivered."""
