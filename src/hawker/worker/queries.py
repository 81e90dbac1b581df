"""The set SQL of the worker's own housekeeping."""

FORGET_JOBS = """
    DELETE FROM procrastinate_jobs
     WHERE id IN (SELECT j.id FROM procrastinate_jobs j
                   WHERE j.status <> 'todo' AND j.worker_id IS NULL
                     AND NOT EXISTS (SELECT FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > %s)
                   ORDER BY j.id LIMIT %s)
"""
"""Jobs of workers that were killed: the engine deletes a job when it ends, and these never end. It has forgotten their
worker when that was not heard of for half a minute; the moment is for one that only could not be heard of."""
