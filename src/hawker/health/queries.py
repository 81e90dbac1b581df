"""The set SQL of health: each reads what is open, and nothing that grows with what is finished."""

CLAIM_CHECK = """
    INSERT INTO invariant_check (started_at)
    SELECT %s WHERE NOT EXISTS (SELECT FROM invariant_check WHERE started_at > %s)
    RETURNING id
"""

END_CHECK = "UPDATE invariant_check SET ended_at = %s, breaches = %s WHERE id = %s"

FORGET_CHECKS = "DELETE FROM invariant_check WHERE started_at < %s"

LAST_CHECK = "SELECT ended_at, breaches FROM invariant_check WHERE ended_at IS NOT NULL ORDER BY id DESC LIMIT 1"

INSERT_BACKUP = "INSERT INTO backup (taken_at, ended_at, size_bytes) VALUES (%s, %s, %s)"

LAST_BACKUP = "SELECT taken_at, size_bytes FROM backup ORDER BY taken_at DESC LIMIT 1"

MIGRATIONS = "SELECT app, name FROM django_migrations"

ADD_TALLIES = """
    INSERT INTO tally (key, times)
    SELECT f.key, f.times FROM unnest(%s::text[], %s::bigint[]) WITH ORDINALITY AS f(key, times, n) ORDER BY f.n
    ON CONFLICT (key) DO UPDATE SET times = tally.times + EXCLUDED.times
"""

READ_TALLIES = "SELECT key, times FROM tally"

MOST_COUNTED = 100_000
"""Open work is counted up to here, of each kind and provider: whoever asks must not cost more than the work."""

WORK = """
    SELECT k.kind, p.id, p.name,
           (SELECT count(*) FROM (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = p.id LIMIT %s) few),
           (SELECT count(*) FROM (SELECT FROM work w WHERE w.kind = k.kind AND w.provider_id = p.id
                                     AND w.due_at <= %s LIMIT %s) few),
           (SELECT w.due_at FROM work w WHERE w.kind = k.kind AND w.provider_id = p.id AND w.hold_kind IS NULL
             ORDER BY w.due_at LIMIT 1)
      FROM unnest(%s::text[]) AS k(kind)
     CROSS JOIN (SELECT id, name FROM provider UNION ALL SELECT 0, '') p
"""
"""Open work by kind and provider: all, due, and the moment of the oldest not held. Index probes of `work_due`."""

HELD = """
    SELECT w.kind, w.provider_id, CASE w.hold_kind WHEN 'person' THEN 'for a person'
                                                   WHEN 'restored' THEN 'restored' ELSE w.hold END, count(*)
      FROM work w WHERE w.hold_kind IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 4 DESC
"""
"""What is held, and why: of an index of its own, `work_held`."""

MOST_OPEN = 20_000
"""With more open orders than this, they too are guessed."""

OPEN_ORDERS = """
    SELECT o.state, count(*)
      FROM (SELECT DISTINCT order_id FROM (SELECT order_id FROM work LIMIT %s) few) w JOIN orders o ON o.id = w.order_id
     GROUP BY 1
"""
"""Orders that something is due for, by state: rows of open orders alone are read."""

GUESSED_ORDERS = """
    SELECT f.state, (f.share * GREATEST(c.reltuples, 0))::bigint
      FROM pg_class c
      JOIN pg_stats s ON s.schemaname = 'public' AND s.tablename = 'orders' AND s.attname = 'state'
     CROSS JOIN unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS f(state, share)
     WHERE c.oid = 'orders'::regclass
"""
"""How many orders are in each state as the database's own statistics have it: nothing is counted."""

UNKNOWN = """
    SELECT count(*), min(o.updated_at)
      FROM attempt a JOIN orders o ON o.id = a.order_id
     WHERE a.kind = 'add' AND a.state = 'unknown' AND o.state = 'unknown'
"""
"""An unknown order has one attempt that is (I12), and those are few and indexed."""

ALERTS = "SELECT kind, count(*) FROM alert WHERE closed_at IS NULL GROUP BY 1 ORDER BY 1"

WORKERS = "SELECT count(*), max(last_heartbeat) FROM procrastinate_workers WHERE last_heartbeat > %s"

PROVIDERS = """
    SELECT p.name, p.enabled, p.pause_kind <> '' AND COALESCE(p.paused_until > %s, true), p.pause_reason,
           h.retry_at > %s, p.balance_micros,
           COALESCE((SELECT r.unexplained_micros FROM balance_reading r WHERE r.provider_id = p.id
                      ORDER BY r.at DESC LIMIT 1), 0)
      FROM provider p JOIN provider_health h ON h.provider_id = p.id ORDER BY p.id
"""

DURABILITY = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"

SERVER = """
    SELECT current_setting('server_version_num')::int, clock_timestamp(),
           current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity)::int,
           (SELECT max(age(datfrozenxid)) FROM pg_database)::int
"""

OWNED = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_get_userbyid(c.relowner) = current_user
"""

STUCK = """
    SELECT count(*)
      FROM (SELECT id, state, provider_id, updated_at FROM orders ORDER BY id DESC LIMIT %s) o
     WHERE o.state IN ('queued', 'sending', 'submitted', 'in_progress', 'processing') AND o.provider_id IS NOT NULL
       AND o.updated_at < %s AND NOT EXISTS (SELECT FROM work w WHERE w.order_id = o.id)
"""
"""Among the newest orders: those before them are looked at by the check of every invariant, which reads all."""

LATELY = 50_000

EXPIRED = "SELECT count(*) FROM attempt WHERE state = 'sending' AND lease_until < %s"

SIZES = """
    SELECT pg_database_size(current_database()),
           COALESCE((SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)) FROM pg_replication_slots s),
                    0)::bigint
"""
"""Bytes of the database, and of the log that is kept for a replica which has not fetched it."""

DEAD_ROWS = """
    SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables
     WHERE n_dead_tup > %s AND n_dead_tup > n_live_tup ORDER BY n_dead_tup DESC LIMIT 1
"""
"""The table with the most rows that are dead, where they are more than those that live."""

OLDEST_SNAPSHOT = "SELECT COALESCE(seconds, 0)::float8, COALESCE(holder, '') FROM oldest_snapshot()"
"""How long the oldest snapshot is held, and by whom. What it may still see is not cleaned up, so rows that change all
the time grow: each read of one passes all its versions."""
