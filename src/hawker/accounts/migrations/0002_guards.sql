-- Every change of a key, or of whether a person may use one, bumps the access version (see models.AccessVersion).
INSERT INTO access_version (id, version) VALUES (1, 1);

CREATE FUNCTION bump_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_version SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END $$;

CREATE TRIGGER api_key_bumps_version AFTER INSERT OR UPDATE OR DELETE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION bump_access_version();
CREATE TRIGGER app_user_bumps_version AFTER UPDATE ON app_user
    FOR EACH ROW WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active) EXECUTE FUNCTION bump_access_version();
