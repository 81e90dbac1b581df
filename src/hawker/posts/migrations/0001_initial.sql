-- Feeds are written at every look: room on the page keeps that off the indexes but that of the due time.
ALTER TABLE feed SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
