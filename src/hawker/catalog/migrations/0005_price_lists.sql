-- What customers pay is part of what is sold: a change of it gives the catalogue a new number too, and so waits at its
-- COMMIT for the batches that are placing orders (0002_guards.sql).
CREATE TRIGGER price_group_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON price_group
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER customer_price_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON customer_price
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER customer_rate_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON customer_rate
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
