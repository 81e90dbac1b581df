"""The set SQL of providers."""

READ_ACCESS = "SELECT id, name, url, key_cipher, allow_private, gate_not_sent FROM provider WHERE id = %s"
"""How to call a provider."""

READ_PURSE = "SELECT name, currency FROM provider WHERE id = %s"

# --- what may be sent ------------------------------------------------------------------------------

READ_GATE = """
    SELECT p.enabled AND (p.pause_kind = '' OR COALESCE(p.paused_until <= %s, false)), p.adds_per_minute, h.adds_at,
           h.failures, h.opens, h.opened_at, h.retry_at, h.probe_until
      FROM provider p JOIN provider_health h ON h.provider_id = p.id
     WHERE p.id = %s
"""
LOCK_GATE = READ_GATE + "FOR NO KEY UPDATE OF h"
"""The same under the row's lock: claims of one provider that has a limit, or is being probed, go one by one."""

WRITE_GATE = "UPDATE provider_health SET adds_at = %s, probe_until = %s WHERE provider_id = %s"

READ_PACE = {
    "statuses": """
        SELECT p.statuses_per_minute, h.statuses_at FROM provider p JOIN provider_health h ON h.provider_id = p.id
         WHERE p.id = %s AND p.statuses_per_minute IS NOT NULL FOR NO KEY UPDATE OF h""",
    "balances": """
        SELECT p.balances_per_minute, h.balances_at FROM provider p JOIN provider_health h ON h.provider_id = p.id
         WHERE p.id = %s AND p.balances_per_minute IS NOT NULL FOR NO KEY UPDATE OF h""",
}
"""The limit and the moment of its pace, locked; no row where there is no limit, and then nothing is locked."""

WRITE_PACE = {
    "statuses": "UPDATE provider_health SET statuses_at = %s WHERE provider_id = %s",
    "balances": "UPDATE provider_health SET balances_at = %s WHERE provider_id = %s",
}

# --- how it fares ----------------------------------------------------------------------------------

READ_BREAKER = """
    SELECT p.name, h.pauses, h.failures, h.opens, h.opened_at, h.retry_at, h.probe_until
      FROM provider_health h JOIN provider p ON p.id = h.provider_id
     WHERE h.provider_id = %s
"""
LOCK_BREAKER = READ_BREAKER + "FOR NO KEY UPDATE OF h"

WRITE_BREAKER = """
    UPDATE provider_health
       SET pauses = %s, failures = %s, opens = %s, opened_at = %s, retry_at = %s, probe_until = %s
     WHERE provider_id = %s
"""

COUNT_PAUSE = """
    UPDATE provider_health h
       SET pauses = h.pauses + 1, funds_micros = NULL, balance_due_at = LEAST(h.balance_due_at, %s)
      FROM provider p
     WHERE h.provider_id = %s AND p.id = h.provider_id AND (p.pause_kind = '' OR p.paused_until <= %s)
    RETURNING h.pauses
"""
"""Nothing where it is paused already: the answers to what was on its way then say the same once more."""

PAUSE = """
    UPDATE provider SET paused_until = NULL, pause_kind = %s, pause_reason = %s WHERE id = %s RETURNING name
"""
"""Until it is resumed: `paused_until` is NULL of a pause without an end."""

PAUSE_BY_ITSELF = """
    UPDATE provider SET paused_until = %s, pause_kind = %s, pause_reason = %s
     WHERE id = %s AND (pause_kind = '' OR paused_until <= %s)
    RETURNING name
"""
"""Nothing where somebody paused it since COUNT_PAUSE looked: a pause by hand is ended by hand."""

RESUME = """
    UPDATE provider SET paused_until = NULL, pause_kind = '', pause_reason = ''
     WHERE id = %s AND pause_kind <> ''
    RETURNING name
"""

# --- balances --------------------------------------------------------------------------------------

CLAIM_CHECKS = """
    WITH due AS (
        SELECT h.provider_id,
               LEAST(CASE WHEN p.balance_every_seconds > 0 THEN p.balance_every_seconds ELSE 2147483647 END,
                     CASE WHEN p.pause_kind = 'funds' AND p.paused_until > %s THEN %s ELSE 2147483647 END) AS every
          FROM provider_health h JOIN provider p ON p.id = h.provider_id
         WHERE h.balance_due_at <= %s AND p.enabled
           AND (p.balance_every_seconds > 0 OR (p.pause_kind = 'funds' AND p.paused_until > %s))
         ORDER BY h.balance_due_at LIMIT 100
           FOR NO KEY UPDATE OF h SKIP LOCKED)
    UPDATE provider_health h SET balance_due_at = %s::timestamptz + make_interval(secs => due.every)
      FROM due WHERE h.provider_id = due.provider_id
    RETURNING h.provider_id
"""
"""Providers whose balance is to be asked for now, put off to their next time."""

LOCK_FUNDS = """
    SELECT p.name, p.currency, p.low_balance_micros, p.pause_kind = 'funds' AND p.paused_until > %s, h.funds_micros
      FROM provider p JOIN provider_health h ON h.provider_id = p.id
     WHERE p.id = %s FOR NO KEY UPDATE OF p, h
"""

WRITE_BALANCE = "UPDATE provider SET balance_micros = %s, balance_at = %s WHERE id = %s"
WRITE_FUNDS = "UPDATE provider_health SET funds_micros = %s WHERE provider_id = %s"

INSERT_READING = """
    INSERT INTO balance_reading (provider_id, at, balance_micros, unexplained_micros) VALUES (%s, %s, %s, %s)
"""

PROVIDERS = "SELECT id FROM provider ORDER BY id"

THIN_READINGS = """
    DELETE FROM balance_reading
     WHERE id IN (SELECT r.id FROM balance_reading r
                   WHERE r.provider_id = %s AND r.at < %s
                     AND EXISTS (SELECT FROM balance_reading later
                                  WHERE later.provider_id = r.provider_id AND (later.at, later.id) > (r.at, r.id)
                                    AND later.at < date_trunc('day', r.at, 'UTC') + interval '1 day')
                   LIMIT %s)
"""
"""Deletes a provider's readings before a moment, all but the last of each day (UTC). A trigger refuses any other."""

FOLLOW_SERVICES = """
    UPDATE service s
       SET rate = f.rate, minimum = f.minimum, maximum = f.maximum, refill = f.refill, cancel = f.cancel,
           dripfeed = f.dripfeed
      FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bool[], %s::bool[], %s::bool[])
        AS f(id, rate, minimum, maximum, refill, cancel, dripfeed)
     WHERE s.id = f.id
"""
"""What of a service follows the provider's."""

FOLLOW_ROUTES = """
    UPDATE route r SET cost_rate = f.cost_rate FROM unnest(%s::bigint[], %s::text[]) AS f(id, cost_rate)
     WHERE r.id = f.id
"""

# --- prices ----------------------------------------------------------------------------------------

CLAIM_SYNCS = """
    WITH due AS (
        SELECT h.provider_id, p.prices_every_seconds AS every
          FROM provider_health h JOIN provider p ON p.id = h.provider_id
         WHERE p.enabled AND p.prices_every_seconds > 0 AND (h.prices_due_at IS NULL OR h.prices_due_at <= %s)
         ORDER BY h.prices_due_at NULLS FIRST LIMIT 10
           FOR NO KEY UPDATE OF h SKIP LOCKED)
    UPDATE provider_health h SET prices_due_at = %s::timestamptz + make_interval(secs => due.every)
      FROM due WHERE h.provider_id = due.provider_id
    RETURNING h.provider_id
"""
"""Providers whose catalogue is to be read now, put off to their next time."""

READ_PRICED = """
    SELECT r.id, r.upstream_service, r.cost_rate, s.type, s.id, s.rate, s.minimum, s.maximum, s.refill, s.cancel,
           s.dripfeed, r.id = (SELECT b.id FROM route b WHERE b.service_id = s.id ORDER BY b.position, b.id LIMIT 1)
      FROM route r JOIN service s ON s.id = r.service_id
     WHERE r.provider_id = %s
     ORDER BY r.id
       FOR UPDATE OF r
"""
"""What is bought from a provider, at which cost, and whether it is the first route of its service."""

READ_MARKUP = "SELECT name, exchange_rate, markup_percent FROM provider WHERE id = %s"


LOCK_ROTATION = "SELECT pg_advisory_xact_lock(1937008997)"
LOCK_SEALING = "SELECT pg_advisory_xact_lock_shared(1937008997)"
"""Whoever seals a key holds this while that is written, so that a rotation misses none."""

READ_SEALED = "SELECT id, name, key_cipher FROM provider ORDER BY name"

LOCK_SEALED = f"{READ_SEALED} FOR NO KEY UPDATE"

RESEAL = """
    UPDATE provider p SET key_cipher = f.key_cipher
      FROM unnest(%s::bigint[], %s::bytea[]) AS f(id, key_cipher)
     WHERE p.id = f.id
"""
