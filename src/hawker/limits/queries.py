"""The set SQL of limits. Rows are locked in the order of their keys: two processes never wait for each other."""

READ_CLOCK = "SELECT clock_timestamp()"
"""One clock for all processes: those of their machines differ."""

MAKE_BUCKETS = """
    INSERT INTO rate_bucket (name, full_at)
    SELECT name, clock_timestamp() FROM unnest(%s::text[]) AS asked (name) ORDER BY name
        ON CONFLICT (name) DO NOTHING
"""

LOCK_BUCKETS = "SELECT name, full_at FROM rate_bucket WHERE name = ANY(%s::text[]) ORDER BY name FOR UPDATE"

READ_BUCKETS = "SELECT name, full_at FROM rate_bucket WHERE name = ANY(%s::text[])"

WRITE_BUCKETS = """
    UPDATE rate_bucket SET full_at = spent.full_at
      FROM unnest(%s::text[], %s::timestamptz[]) AS spent (name, full_at)
     WHERE rate_bucket.name = spent.name
"""

MAKE_IN_FLIGHT = """
    INSERT INTO in_flight (account_id, leases)
    SELECT account_id, '{}' FROM unnest(%s::bigint[]) AS asked (account_id) ORDER BY account_id
        ON CONFLICT (account_id) DO NOTHING
"""

LOCK_IN_FLIGHT = """
    SELECT account_id, leases FROM in_flight WHERE account_id = ANY(%s::bigint[]) ORDER BY account_id FOR UPDATE
"""

WRITE_IN_FLIGHT = """
    UPDATE in_flight
       SET leases = ARRAY(SELECT entered.lease
                            FROM unnest(%s::bigint[], %s::timestamptz[]) AS entered (account_id, lease)
                           WHERE entered.account_id = in_flight.account_id)
     WHERE account_id = ANY(%s::bigint[])
"""
"""The leases of these accounts are exactly these pairs."""

END_LEASES = """
    UPDATE in_flight
       SET leases = ARRAY(SELECT lease FROM unnest(leases) AS held (lease)
                          EXCEPT
                          SELECT ended.lease FROM unnest(%s::bigint[], %s::timestamptz[]) AS ended (account_id, lease)
                           WHERE ended.account_id = in_flight.account_id)
     WHERE account_id = ANY(%s::bigint[])
"""

PAGES = "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::bigint"
"""How many pages a table has: the `forget` statements read each page once, a range of pages in one transaction."""

FORGET_BUCKETS = """
    DELETE FROM rate_bucket
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM rate_bucket
                             WHERE ctid >= %s::tid AND ctid < %s::tid AND full_at <= clock_timestamp()
                               FOR UPDATE SKIP LOCKED))
"""
"""The full buckets on these pages. Rows that a request has locked are skipped, so it waits for no request."""

FORGET_IN_FLIGHT = """
    DELETE FROM in_flight
     WHERE ctid = ANY(ARRAY(SELECT ctid FROM in_flight
                             WHERE ctid >= %s::tid AND ctid < %s::tid AND NOT clock_timestamp() < ANY(leases)
                               FOR UPDATE SKIP LOCKED))
"""
"""The accounts on these pages that have nothing in flight."""
