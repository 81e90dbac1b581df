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

WORK = """
    SELECT w.kind, COALESCE(p.name, ''), count(*), count(*) FILTER (WHERE w.due_at <= %s),
           min(w.due_at) FILTER (WHERE w.hold = ''), count(*) FILTER (WHERE w.hold <> '')
      FROM work w LEFT JOIN provider p ON p.id = w.provider_id GROUP BY 1, 2 ORDER BY 1, 2
"""
"""Open work by kind and provider: all, due, the moment of the oldest that is not held, and what is held."""

UNKNOWN = "SELECT count(*), min(updated_at) FROM orders WHERE state = 'unknown'"

ALERTS = "SELECT kind, count(*) FROM alert WHERE closed_at IS NULL GROUP BY 1 ORDER BY 1"

WORKERS = "SELECT count(*), max(last_heartbeat) FROM procrastinate_workers WHERE last_heartbeat > %s"

PROVIDERS = """
    SELECT p.name, p.enabled, p.paused_until > %s, p.pause_reason, h.retry_at > %s, p.balance_micros,
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
    SELECT count(*) FROM orders o
     WHERE o.state IN ('queued', 'sending', 'submitted', 'in_progress', 'processing') AND o.provider_id IS NOT NULL
       AND o.updated_at < %s AND NOT EXISTS (SELECT FROM work w WHERE w.order_id = o.id)
"""

EXPIRED = "SELECT count(*) FROM attempt WHERE state = 'sending' AND lease_until < %s"
