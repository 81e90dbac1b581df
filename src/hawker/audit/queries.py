"""The set SQL of the audit log."""

ACTOR_TEXT = """CASE WHEN {row}.actor_kind = 'system' THEN {row}.actor_name
    WHEN {row}.actor_name = '' THEN {row}.actor_kind ELSE {row}.actor_kind || ':' || {row}.actor_name END"""
"""The text of an actor, as `str(Actor)` writes it, of the row that is called `row`."""

IS_ACTOR = """({row}.actor_kind, {row}.actor_name) = (
    CASE WHEN %(actor)s::text ~ '^(cli|staff|customer):' THEN split_part(%(actor)s::text, ':', 1) ELSE 'system' END,
    regexp_replace(%(actor)s::text, '^(cli|staff|customer):', ''))"""
"""Whether the row that is called `row` is of the actor whose text is given."""

INSERT_EVENTS = """
    INSERT INTO audit_event (at, actor_kind, actor_id, actor_name, address, action, subject_kind, subject_id, before,
                             after, reason, transfer_kind, transfer_reference, transaction_id)
    SELECT %s, f.actor_kind, f.actor_id, f.actor_name, f.address, f.action, f.subject_kind, f.subject_id, f.before,
           f.after, f.reason, f.transfer_kind, f.transfer_reference, txid_current()
      FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[],
                  %s::jsonb[], %s::text[], %s::text[], %s::bigint[])
        AS f(actor_kind, actor_id, actor_name, address, action, subject_kind, subject_id, before, after, reason,
             transfer_kind, transfer_reference)
"""

LOCK_SUBJECT = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1635083369))"
"""Audited changes of one subject go one after the other, or the second would tell a `before` that is over."""

LIST_EVENTS = """
    SELECT id, at, actor_kind, actor_id, actor_name, address, action, subject_kind, subject_id, before, after, reason
      FROM audit_event
     WHERE (%(actor_kind)s::text IS NULL OR (actor_kind = %(actor_kind)s AND actor_name = %(actor_name)s))
       AND (%(action)s::text IS NULL OR action = %(action)s OR starts_with(action, %(action)s || '.'))
       AND (%(subject_kind)s::text IS NULL OR subject_kind = %(subject_kind)s)
       AND (%(subject_id)s::text IS NULL OR subject_id = %(subject_id)s)
       AND (%(kinds)s::text[] IS NULL
            OR (subject_kind, subject_id) IN (SELECT * FROM unnest(%(kinds)s::text[], %(ids)s::text[])))
       AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
     ORDER BY id DESC LIMIT %(limit)s
"""
