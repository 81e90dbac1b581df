"""The set SQL of the audit log."""

INSERT_EVENTS = """
    INSERT INTO audit_event (at, actor, actor_kind, address, action, subject_kind, subject_id, before, after, reason,
                             transfer_kind, transfer_reference, transaction_id)
    SELECT %s, f.actor, f.actor_kind, f.address, f.action, f.subject_kind, f.subject_id, f.before, f.after, f.reason,
           f.transfer_kind, f.transfer_reference, txid_current()
      FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[],
                  %s::text[], %s::text[], %s::bigint[])
        AS f(actor, actor_kind, address, action, subject_kind, subject_id, before, after, reason, transfer_kind,
             transfer_reference)
"""

LOCK_SUBJECT = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 1635083369))"
"""Audited changes of one subject go one after the other, or the second would tell a `before` that is over."""

LIST_EVENTS = """
    SELECT id, at, actor, actor_kind, address, action, subject_kind, subject_id, before, after, reason
      FROM audit_event
     WHERE (%s::text IS NULL OR actor = %s)
       AND (%s::text IS NULL OR action = %s OR starts_with(action, %s))
       AND (%s::text IS NULL OR subject_kind = %s)
       AND (%s::text IS NULL OR subject_id = %s)
       AND (%s::text[] IS NULL OR (subject_kind, subject_id) IN (SELECT * FROM unnest(%s::text[], %s::text[])))
       AND (%s::timestamptz IS NULL OR at >= %s)
     ORDER BY id DESC LIMIT %s
"""
