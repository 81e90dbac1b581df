-- Only what a door remembers of a key bumps the access version: a new key is remembered nowhere yet, and
-- when a key was last used, or what it is called, changes nothing about who may pass.
DROP TRIGGER api_key_bumps_version ON api_key;
CREATE TRIGGER api_key_bumps_version
    AFTER UPDATE OF user_id, digest, scope, allowed_addresses, expires_at, revoked_at OR DELETE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION bump_access_version();
