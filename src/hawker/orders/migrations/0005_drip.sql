-- The terms of a drip-feed stay as they were sold, and its counts go one way: runs that were started and have
-- ended are more and more, the last that will be started is only ever drawn nearer, by a cancel.
CREATE TRIGGER orders_runs_stay BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.runs IS DISTINCT FROM NEW.runs) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER drip_counts_grow BEFORE UPDATE ON drip
    FOR EACH ROW WHEN (OLD.order_id <> NEW.order_id OR OLD.interval_minutes <> NEW.interval_minutes
        OR OLD.started > NEW.started OR OLD.ended > NEW.ended OR OLD.stops_after < NEW.stops_after)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER drip_stays BEFORE DELETE OR TRUNCATE ON drip
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Every run rewrites its drip-feed's counts: room on the page keeps that off the index (HOT).
ALTER TABLE drip SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
