CREATE FUNCTION check_refill_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state NOT IN (
        'pending>in_progress', 'pending>completed', 'pending>rejected', 'in_progress>completed', 'in_progress>rejected')
    THEN
        RAISE EXCEPTION 'refill %: no move from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refill_move';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER refill_moves BEFORE UPDATE ON refill
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_refill_move();
CREATE TRIGGER refill_terms_stay BEFORE UPDATE ON refill
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.order_id <> NEW.order_id OR OLD.account_id <> NEW.account_id
        OR OLD.requested_at <> NEW.requested_at OR OLD.provider_id IS DISTINCT FROM NEW.provider_id
        OR (OLD.upstream_id IS NOT NULL AND OLD.upstream_id IS DISTINCT FROM NEW.upstream_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refill_stays BEFORE DELETE OR TRUNCATE ON refill
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An attempt belongs to its refill for good.
CREATE OR REPLACE TRIGGER attempt_facts_stay BEFORE UPDATE ON attempt
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.order_id <> NEW.order_id OR OLD.provider_id <> NEW.provider_id
        OR OLD.kind <> NEW.kind OR OLD.n <> NEW.n OR OLD.started_at <> NEW.started_at
        OR OLD.refill_id IS DISTINCT FROM NEW.refill_id
        OR (OLD.upstream_id IS NOT NULL AND OLD.upstream_id IS DISTINCT FROM NEW.upstream_id))
    EXECUTE FUNCTION refuse_change();
