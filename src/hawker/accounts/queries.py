"""The set SQL of keys."""

READ_GRANTS = """
    SELECT k.digest, k.id, a.id, k.scope, k.allowed_addresses, k.expires_at
      FROM api_key k
      JOIN app_user u ON u.id = k.user_id AND u.is_active
      JOIN account a ON a.user_id = u.id
     WHERE k.digest = ANY(%s::bytea[]) AND k.revoked_at IS NULL
"""
"""The keys that may be used at all; expiry and addresses are for the caller, who knows the clock and the peer."""

READ_VERSION = "SELECT version FROM access_version WHERE id = 1"

NOTE_USES = """
    UPDATE api_key k
       SET last_used_at = used.used_at, last_address = used.address
      FROM (SELECT held.id, news.used_at, news.address
              FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS news (id, used_at, address)
              JOIN api_key held ON held.id = news.id
             WHERE held.last_used_at IS NULL OR held.last_used_at < news.used_at
             ORDER BY held.id
               FOR NO KEY UPDATE OF held SKIP LOCKED) used
     WHERE k.id = used.id
"""
"""A key that another process is writing about at this moment is left out: its news is as fresh."""


KEEP_CHECK = """
    INSERT INTO secret_check (name, value, since) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING
"""

CHANGE_CHECK = """
    INSERT INTO secret_check (name, value, since) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, since = EXCLUDED.since
"""

READ_CHECKS = "SELECT name, value FROM secret_check"
