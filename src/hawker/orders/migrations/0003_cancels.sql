-- Staff deliver what no provider is asked for: such an order goes from the queue straight to work.
CREATE OR REPLACE FUNCTION check_order_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state || '>' || NEW.state NOT IN (
        'queued>sending', 'queued>in_progress', 'queued>canceled',
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

-- Nothing but its end has changed an order since it ended.
UPDATE orders SET ended_at = updated_at WHERE state IN ('completed', 'partial', 'canceled', 'expired');
