"""The set SQL of alerts."""

SUBJECT_TEXT = """CASE {alert}.subject_kind WHEN 'refill' THEN 'refill of order ' || {alert}.subject_id
    WHEN 'books' THEN 'books' ELSE {alert}.subject_kind || ' ' || {alert}.subject_id END"""
"""The text of an alert's subject, as AlertSubject writes it, of the row that is called `alert`."""

OPEN_ALERTS = """
    INSERT INTO alert (kind, subject_kind, subject_id, text, opened_at, seen_at, times, closed_by)
    SELECT f.kind, f.subject_kind, f.subject_id, f.text, %(now)s, %(now)s, 1, ''
      FROM unnest(%(kinds)s::text[], %(subject_kinds)s::text[], %(subject_ids)s::text[], %(texts)s::text[])
        AS f(kind, subject_kind, subject_id, text)
    ON CONFLICT (kind, subject_kind, subject_id) WHERE closed_at IS NULL
    DO UPDATE SET text = EXCLUDED.text, seen_at = EXCLUDED.seen_at, times = alert.times + 1
    RETURNING kind, subject_kind, subject_id, text, times = 1
"""
"""One row per kind and subject while it is open: raised again, it counts and tells the newest text."""

CLOSE_ALERTS = """
    UPDATE alert SET closed_at = %(now)s, closed_by = %(by)s
     WHERE kind = %(kind)s AND closed_at IS NULL
       AND (subject_kind, subject_id) IN (SELECT * FROM unnest(%(subject_kinds)s::text[], %(subject_ids)s::text[]))
"""

CLOSE_BY_NUMBER = "UPDATE alert SET closed_at = %s, closed_by = %s WHERE id = %s AND closed_at IS NULL"
