-- Readings of balances come every few minutes, for ever. Those of the last 30 days are evidence for unknown orders; of
-- each day before, the last reading stays. Nothing else may be deleted, and no reading may be changed.
DROP TRIGGER balance_reading_append_only ON balance_reading;
CREATE TRIGGER balance_reading_append_only BEFORE UPDATE OR TRUNCATE ON balance_reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_thinned() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.at > clock_timestamp() - interval '30 days' OR NOT EXISTS (
        SELECT FROM balance_reading later
         WHERE later.provider_id = OLD.provider_id AND (later.at, later.id) > (OLD.at, OLD.id)
           AND later.at < date_trunc('day', OLD.at, 'UTC') + interval '1 day')
    THEN
        RAISE EXCEPTION 'balance_reading %: of the last 30 days, or the last one of its day', OLD.id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'balance_reading_kept';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER balance_reading_kept BEFORE DELETE ON balance_reading
    FOR EACH ROW EXECUTE FUNCTION check_thinned();
