-- Any change of what is sold, by whatever path, gives the catalogue a new number.
INSERT INTO catalogue_version (id, version) VALUES (1, 1);

CREATE FUNCTION bump_catalogue_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE catalogue_version SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END $$;

CREATE TRIGGER category_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON category
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER service_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON service
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER route_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON route
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

-- At its COMMIT a change waits for the batches that are placing orders (they hold this lock shared, see
-- the queries of orders/), so once a new price is committed no order with the old one can follow it.
CREATE FUNCTION wait_for_placing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1214347115);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER catalogue_version_waits AFTER UPDATE ON catalogue_version
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait_for_placing();

-- Orders point at services without a foreign key (models.Order): a service is disabled, never deleted.
CREATE FUNCTION refuse_service_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'services are disabled, not deleted' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER service_stays BEFORE DELETE OR TRUNCATE ON service
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_service_removal();
