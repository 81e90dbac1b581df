-- The moves of orders/transitions/rules.py once more, where no code can pass by them. tests/orders compares the two.
CREATE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state NOT IN (
        'queued>sending', 'queued>canceled',
        'sending>submitted', 'sending>rejected', 'sending>unknown', 'sending>queued',
        'rejected>queued', 'rejected>canceled',
        'unknown>submitted', 'unknown>queued', 'unknown>canceled',
        'submitted>in_progress', 'submitted>processing',
        'submitted>completed', 'submitted>partial', 'submitted>canceled',
        'in_progress>processing', 'in_progress>completed', 'in_progress>partial', 'in_progress>canceled',
        'processing>in_progress', 'processing>completed', 'processing>partial', 'processing>canceled',
        'active>paused', 'active>completed', 'active>partial', 'active>canceled', 'active>expired',
        'paused>active', 'paused>completed', 'paused>partial', 'paused>canceled', 'paused>expired')
    THEN
        RAISE EXCEPTION 'order %: no move from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_move';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER orders_moves BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_order_move();

CREATE TRIGGER orders_terms_stay BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.account_id <> NEW.account_id OR OLD.charge_micros <> NEW.charge_micros
        OR OLD.quantity <> NEW.quantity OR OLD.link <> NEW.link OR OLD.service_id <> NEW.service_id
        OR OLD.refunded_micros > NEW.refunded_micros OR OLD.earned_micros > NEW.earned_micros
        OR OLD.handed_micros > NEW.handed_micros
        OR (OLD.parent_id, OLD.part, OLD.from_parent) IS DISTINCT FROM (NEW.parent_id, NEW.part, NEW.from_parent)
        OR (OLD.upstream_id IS NOT NULL AND (OLD.upstream_id, OLD.provider_id) IS DISTINCT FROM (NEW.upstream_id, NEW.provider_id)))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER orders_stay BEFORE DELETE OR TRUNCATE ON orders
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The moves of an attempt; unknown is left only with evidence.
CREATE FUNCTION check_attempt_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state NOT IN (
        'sending>accepted', 'sending>rejected', 'sending>not_sent', 'sending>unknown',
        'unknown>accepted', 'unknown>not_created', 'unknown>manual')
    THEN
        RAISE EXCEPTION 'attempt %: no move from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'attempt_move';
    END IF;
    IF OLD.state = 'unknown' AND (NEW.evidence = '' OR NEW.evidence = OLD.evidence) THEN
        RAISE EXCEPTION 'attempt %: leaving unknown needs evidence', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'attempt_evidence';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER attempt_moves BEFORE UPDATE ON attempt
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION check_attempt_move();
CREATE TRIGGER attempt_facts_stay BEFORE UPDATE ON attempt
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.order_id <> NEW.order_id OR OLD.provider_id <> NEW.provider_id
        OR OLD.kind <> NEW.kind OR OLD.n <> NEW.n OR OLD.started_at <> NEW.started_at
        OR (OLD.upstream_id IS NOT NULL AND OLD.upstream_id IS DISTINCT FROM NEW.upstream_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_stays BEFORE DELETE OR TRUNCATE ON attempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Hot rows: room on the page for HOT updates, and a vacuum that comes before the bloat does.
ALTER TABLE work SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                      autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE orders SET (fillfactor = 80);
