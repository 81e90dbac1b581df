-- A subscription that a provider runs goes from submitted to what the provider first says of it.
CREATE OR REPLACE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- The terms of a subscription stay as they were ordered, what is left of it only grows less, and a post
-- that has its order keeps it.
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
