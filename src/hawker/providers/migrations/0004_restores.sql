-- What is left to a person after a restore rests on these rows.
CREATE TRIGGER restore_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON restore
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
