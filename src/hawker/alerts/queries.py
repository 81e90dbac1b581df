"""The set SQL of alerts."""

OPEN_ALERTS = """
    INSERT INTO alert (kind, subject, text, opened_at, seen_at, times, closed_by)
    SELECT f.kind, f.subject, f.text, %s, %s, 1, ''
      FROM unnest(%s::text[], %s::text[], %s::text[]) AS f(kind, subject, text)
    ON CONFLICT (kind, subject) WHERE closed_at IS NULL
    DO UPDATE SET text = EXCLUDED.text, seen_at = EXCLUDED.seen_at, times = alert.times + 1
    RETURNING kind, subject, text, times = 1
"""
"""One row per kind and subject while it is open: raised again, it counts and tells the newest text."""

CLOSE_ALERTS = """
    UPDATE alert SET closed_at = %s, closed_by = %s
     WHERE kind = %s AND subject = ANY(%s::text[]) AND closed_at IS NULL
"""

CLOSE_BY_NUMBER = "UPDATE alert SET closed_at = %s, closed_by = %s WHERE id = %s AND closed_at IS NULL"
