-- Every provider has its row of health, by whatever path it is made.
CREATE FUNCTION make_provider_health() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO provider_health (provider_id, balance_due_at) VALUES (NEW.id, NEW.created_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER provider_has_health AFTER INSERT ON provider FOR EACH ROW EXECUTE FUNCTION make_provider_health();
INSERT INTO provider_health (provider_id, balance_due_at) SELECT id, created_at FROM provider;

CREATE TRIGGER balance_reading_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON balance_reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Locked and written by every claim of a provider that has a limit: room on the page for HOT updates.
ALTER TABLE provider_health SET (fillfactor = 50);
