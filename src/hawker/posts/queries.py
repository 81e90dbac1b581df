"""The set SQL of feeds. Each statement is named and described."""

CLAIM_FEEDS = """
    SELECT f.id, f.source, f.url, f.host, f.allow_private, f.etag, f.last_modified, f.digest
      FROM feed f
     WHERE f.due_at <= %s AND NOT f.host = ANY(%s::text[])
     ORDER BY f.due_at
     LIMIT %s
       FOR UPDATE SKIP LOCKED
"""
"""Due feeds, but none of the hosts that are being asked enough already."""

LEASE_FEEDS = """
    UPDATE feed f SET due_at = u.due_at, checked_at = %s
      FROM unnest(%s::bigint[], %s::timestamptz[]) AS u(id, due_at) WHERE f.id = u.id
"""
"""`checked_at` is when a feed was last asked, whatever came of it: who subscribed later waits for the next time."""

LOCK_FEED = "SELECT failures FROM feed WHERE id = %s FOR UPDATE"

FIND_MARKS = """
    SELECT m.mark FROM unnest(%s::text[]) AS f(mark) JOIN feed_mark m ON m.feed_id = %s AND m.mark = f.mark
"""

INSERT_MARKS = """
    INSERT INTO feed_mark (feed_id, mark, seen_at)
    SELECT %s, f.mark, %s FROM unnest(%s::text[]) AS f(mark) ON CONFLICT DO NOTHING
"""

UPDATE_READ = """
    UPDATE feed SET etag = %s, last_modified = %s, digest = %s, due_at = %s, failures = 0, problem = %s WHERE id = %s
"""

UPDATE_UNCHANGED = """
    UPDATE feed SET due_at = %s, problem = CASE WHEN failures > 0 THEN '' ELSE problem END, failures = 0 WHERE id = %s
"""
"""A list that was not believed stays so while it does not change; a failure that is over is forgotten."""

UPDATE_FAILED = "UPDATE feed SET due_at = %s, failures = %s, problem = %s WHERE id = %s"
