-- Attempts are written in the order of time, so this index costs next to nothing.
CREATE INDEX attempt_started ON attempt USING brin (started_at) WITH (pages_per_range = 16, autosummarize = on);
