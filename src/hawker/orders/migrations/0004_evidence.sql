CREATE TRIGGER attempt_evidence_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON attempt_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
