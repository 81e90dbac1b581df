-- The transitions of orders/transitions/rules.py, enforced by the database; a test compares the two.
-- Staff deliver what no provider is asked for: such an order goes from queued to in_progress. A subscription that a
-- provider runs goes from submitted to what the provider first says of it.
CREATE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state NOT IN (
        'queued>sending', 'queued>in_progress', 'queued>canceled',
        'sending>submitted', 'sending>rejected', 'sending>unknown', 'sending>queued',
        'rejected>queued', 'rejected>canceled',
        'unknown>submitted', 'unknown>queued', 'unknown>canceled',
        'submitted>in_progress', 'submitted>processing',
        'submitted>completed', 'submitted>partial', 'submitted>canceled',
        'submitted>active', 'submitted>paused', 'submitted>expired',
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

-- The transitions of an attempt; `unknown` is left only with evidence.
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
        OR OLD.refill_id IS DISTINCT FROM NEW.refill_id
        OR (OLD.upstream_id IS NOT NULL AND OLD.upstream_id IS DISTINCT FROM NEW.upstream_id))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_stays BEFORE DELETE OR TRUNCATE ON attempt
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER attempt_evidence_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON attempt_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Refills.
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

-- The terms of a drip-feed never change. `started` and `ended` only grow; `stops_after` only shrinks, by a cancel.
CREATE TRIGGER orders_runs_stay BEFORE UPDATE ON orders
    FOR EACH ROW WHEN (OLD.runs IS DISTINCT FROM NEW.runs) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER drip_counts_grow BEFORE UPDATE ON drip
    FOR EACH ROW WHEN (OLD.order_id <> NEW.order_id OR OLD.interval_minutes <> NEW.interval_minutes
        OR OLD.started > NEW.started OR OLD.ended > NEW.ended OR OLD.stops_after < NEW.stops_after)
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER drip_stays BEFORE DELETE OR TRUNCATE ON drip
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The terms of a subscription never change, `posts_left` only shrinks, and a post that has its order keeps it.
CREATE TRIGGER subscription_terms_stay BEFORE UPDATE ON subscription
    FOR EACH ROW WHEN ((OLD.order_id, OLD.account_id, OLD.feed_id, OLD.username, OLD.minimum, OLD.maximum, OLD.posts,
                        OLD.old_posts, OLD.delay_minutes, OLD.expiry, OLD.created_at)
            IS DISTINCT FROM (NEW.order_id, NEW.account_id, NEW.feed_id, NEW.username, NEW.minimum, NEW.maximum, NEW.posts,
                        NEW.old_posts, NEW.delay_minutes, NEW.expiry, NEW.created_at)
        OR OLD.parts > NEW.parts OR OLD.posts_left < NEW.posts_left
        OR (OLD.looked_at IS NOT NULL AND OLD.looked_at IS DISTINCT FROM NEW.looked_at))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER subscription_stays BEFORE DELETE OR TRUNCATE ON subscription
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER subscription_post_bound_stays BEFORE UPDATE ON subscription_post
    FOR EACH ROW WHEN (OLD.order_id <> NEW.order_id OR OLD.key <> NEW.key
        OR (OLD.child_id IS NOT NULL AND OLD IS DISTINCT FROM NEW))
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER subscription_post_ordered_stays BEFORE DELETE ON subscription_post
    FOR EACH ROW WHEN (OLD.child_id IS NOT NULL) EXECUTE FUNCTION refuse_change();

-- What a request id stands for never changes; the row is deleted when it is old.
CREATE TRIGGER order_request_stays BEFORE UPDATE OR TRUNCATE ON order_request
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Attempts are inserted in the order of time, so a BRIN index costs next to nothing.
CREATE INDEX attempt_started ON attempt USING brin (started_at) WITH (pages_per_range = 16, autosummarize = on);

-- Finds which subscription a provider's order number belongs to (orders/reconciling/queries.py, READ_LISTED).
-- Posts of feeds have other keys and are not in it.
CREATE INDEX subscription_post_number ON subscription_post ((CASE WHEN key ~ '^[0-9]{1,18}$' THEN key::bigint END))
    WHERE key ~ '^[0-9]{1,18}$';

-- Hot rows: room on the page for HOT updates, and a vacuum that comes before the bloat does.
ALTER TABLE work SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                      autovacuum_analyze_scale_factor = 0.05);
ALTER TABLE orders SET (fillfactor = 80);
-- Every run updates its drip-feed's counts.
ALTER TABLE drip SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
