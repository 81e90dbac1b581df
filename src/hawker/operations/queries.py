"""The set SQL of operations: what was done once, versions of subjects, jobs and their items."""

from hawker.audit.queries import ACTOR_TEXT

CLAIM_ID = """
    INSERT INTO operation_run (operation_id, operation, actor_kind, actor_id, input_digest, result, is_encrypted, at)
    VALUES (%(operation_id)s, %(operation)s, %(actor_kind)s, %(actor_id)s, %(input_digest)s, '', false, %(now)s)
    ON CONFLICT (operation_id) DO NOTHING
    RETURNING operation_id
"""
"""Waits for a transaction that holds the same id; answers a row where this one is the first."""

READ_RUN = """
    SELECT operation, actor_kind, actor_id, input_digest, result, is_encrypted
      FROM operation_run WHERE operation_id = %s
"""

WRITE_RESULT = "UPDATE operation_run SET result = %s, is_encrypted = %s WHERE operation_id = %s"

FORGET_RUNS = """
    DELETE FROM operation_run
     WHERE operation_id IN (SELECT operation_id FROM operation_run WHERE at < %s ORDER BY at LIMIT %s)
"""

READ_VERSION = """
    SELECT COALESCE((SELECT id FROM audit_event WHERE subject_kind = %s AND subject_id = %s
                      ORDER BY id DESC LIMIT 1), 0)
"""
"""The version of a subject: the number of the last audited change of it; 0 before the first."""

READ_CHANGES_SINCE = f"""
    SELECT at, {ACTOR_TEXT.format(row="audit_event")} AS actor, action, before, after FROM audit_event
     WHERE subject_kind = %s AND subject_id = %s AND id > %s
     ORDER BY id LIMIT 5
"""

INSERT_JOB = """
    INSERT INTO job (operation, input, selection, is_dry_run, state, actor_kind, actor_id, actor_name, actor_address,
                     total, done, refused, created_at)
    VALUES (%(operation)s, %(input)s, %(selection)s, %(is_dry_run)s, 'waiting', %(actor_kind)s, %(actor_id)s,
            %(actor_name)s, %(actor_address)s, 0, 0, 0, %(now)s)
    RETURNING id
"""

INSERT_ITEMS = """
    INSERT INTO job_item (job_id, position, subject_id, state, answer, moved)
    SELECT %(job_id)s, %(first)s + f.n, f.subject_id, 'waiting', '', '{}'
      FROM unnest(%(subject_ids)s::text[]) WITH ORDINALITY AS f(subject_id, n)
    ON CONFLICT (job_id, subject_id) DO NOTHING
"""

COUNT_ITEMS = "UPDATE job SET total = (SELECT count(*) FROM job_item WHERE job_id = %s) WHERE id = %s RETURNING total"

READ_JOB = """
    SELECT id, operation, input, selection, is_dry_run, state, actor_kind, actor_id, actor_name, actor_address,
           total, done, refused, created_at, finished_at
      FROM job WHERE id = %s
"""

CLAIM_ITEM = """
    SELECT i.position, i.subject_id FROM job_item i
      JOIN job j ON j.id = i.job_id AND j.finished_at IS NULL
     WHERE i.job_id = %s AND i.state = 'waiting'
     ORDER BY i.position LIMIT 1
       FOR UPDATE OF i SKIP LOCKED
"""

END_ITEM = """
    UPDATE job_item SET state = %(state)s, answer = %(answer)s, moved = %(moved)s
     WHERE job_id = %(job_id)s AND position = %(position)s AND state = 'waiting'
"""

COUNT_ITEM = """
    UPDATE job SET state = CASE WHEN finished_at IS NULL THEN 'running' ELSE state END,
                   done = done + %(done)s, refused = refused + %(refused)s
     WHERE id = %(job_id)s
"""
"""A job that was stopped while a subject was being done stays stopped, and counts that subject."""

FINISH_JOB = """
    UPDATE job SET state = 'finished', finished_at = %(now)s
     WHERE id = %(job_id)s AND finished_at IS NULL
       AND NOT EXISTS (SELECT FROM job_item WHERE job_id = %(job_id)s AND state = 'waiting')
"""

STOP_JOB = "UPDATE job SET state = 'stopped', finished_at = %s WHERE id = %s AND finished_at IS NULL RETURNING id"

FIND_OPEN_JOBS = """
    SELECT id FROM job
     WHERE finished_at IS NULL AND (total > %(inline)s OR created_at < %(abandoned_before)s)
     ORDER BY id LIMIT 100
"""
"""Jobs that a worker is to carry on. A small one is run by whoever asked for it, and becomes a worker's only where it
is not finished long after: its process was killed, or lost the database."""

READ_ITEMS = """
    SELECT position, subject_id, state, answer, moved FROM job_item
     WHERE job_id = %s AND position > %s ORDER BY position LIMIT %s
"""

FORGET_JOB = """
    WITH old AS (SELECT id FROM job WHERE finished_at < %s ORDER BY id LIMIT 1),
         items AS (DELETE FROM job_item WHERE job_id IN (SELECT id FROM old))
    DELETE FROM job WHERE id IN (SELECT id FROM old)
"""
"""Deletes one job with its items: a large one takes a second, and twenty of them could break the statement timeout."""

READ_MOVED = """
    SELECT m.key, sum(m.value::bigint)::bigint FROM job_item i, jsonb_each_text(i.moved) m
     WHERE i.job_id = %s GROUP BY m.key ORDER BY m.key
"""
"""The micros that a job moved, or would have moved, by kind of transfer."""
