-- Every provider has its row in provider_health, whoever adds it.
CREATE FUNCTION make_provider_health() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO provider_health (provider_id, balance_due_at) VALUES (NEW.id, NEW.created_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER provider_has_health AFTER INSERT ON provider FOR EACH ROW EXECUTE FUNCTION make_provider_health();

CREATE TRIGGER balance_reading_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON balance_reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Locked and written by every claim of a provider that has a limit: room on the page for HOT updates.
ALTER TABLE provider_health SET (fillfactor = 50);

-- After a restore these rows decide which attempts are left to a person.
CREATE TRIGGER restore_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON restore
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
