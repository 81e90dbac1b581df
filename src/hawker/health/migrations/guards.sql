-- Few rows that are updated all the time: free space on the page keeps those updates off the index (HOT).
ALTER TABLE tally SET (fillfactor = 30, autovacuum_vacuum_threshold = 200);
