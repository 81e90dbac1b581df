-- The access version grows whenever something changes that the front doors remember of a key: front doors compare it and
-- read their keys again. A new key is remembered nowhere yet, and when a key was last used, or what it is called, changes
-- nothing about who may pass.
INSERT INTO access_version (id, version) VALUES (1, 1);

CREATE FUNCTION bump_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_version SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END $$;

CREATE TRIGGER api_key_bumps_version
    AFTER UPDATE OF user_id, digest, scope, allowed_addresses, expires_at, revoked_at OR DELETE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION bump_access_version();
CREATE TRIGGER app_user_bumps_version AFTER UPDATE ON app_user
    FOR EACH ROW WHEN (OLD.is_active IS DISTINCT FROM NEW.is_active) EXECUTE FUNCTION bump_access_version();
