-- What is forbidden is part of what is sold: a change of it is seen by every batch that is placed after its COMMIT.
CREATE TRIGGER forbidden_link_bumps_version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON forbidden_link
    FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
