-- Any change of what is sold, to whom and at which price, gives the catalogue a new number, whoever makes it.
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
CREATE TRIGGER forbidden_link_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON forbidden_link
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER price_group_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON price_group
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER customer_price_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON customer_price
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER customer_rate_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON customer_rate
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

-- What a route costs and whether it can be used depends on its provider too: held orders are looked at again when that
-- changes, as when a price does. Balances and pauses change all the time and are not counted.
CREATE TRIGGER provider_bumps_version AFTER UPDATE ON provider
    FOR EACH ROW WHEN (OLD.enabled IS DISTINCT FROM NEW.enabled OR OLD.exchange_rate IS DISTINCT FROM NEW.exchange_rate)
    EXECUTE FUNCTION bump_catalogue_version();

-- At its COMMIT a change waits for the batches that are placing orders (they hold this lock shared, see
-- orders/placing/queries.py), so once a new price is committed no order with the old one can follow it.
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
