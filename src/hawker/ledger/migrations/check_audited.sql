-- I9, I14: money that came in, or was corrected, is what its row says, to the account that its row names, once (parts are
-- those of refunds and deliveries only); what staff did of it is in the audit log, as before.
CREATE OR REPLACE FUNCTION check_audited() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    what text;
    number bigint;
    told record;
BEGIN
    IF TG_TABLE_NAME = 'transfer' THEN
        what := NEW.kind;
        number := NEW.reference;
    ELSE
        what := TG_TABLE_NAME;
        number := NEW.id;
    END IF;
    IF what = 'correction' THEN
        SELECT account_id, amount_micros, actor_kind, actor_id, actor_name, reason, true AS by_staff INTO told FROM correction WHERE id = number;
    ELSE
        SELECT account_id, amount_micros, actor_kind, actor_id, actor_name, reason, gateway = 'manual' AS by_staff INTO told
          FROM deposit WHERE id = number;
    END IF;
    IF TG_TABLE_NAME = 'transfer' THEN
        IF told.account_id IS DISTINCT FROM NEW.account_id OR told.amount_micros IS DISTINCT FROM
           (CASE WHEN NEW.credit_id = NEW.account_id THEN NEW.amount_micros ELSE -NEW.amount_micros END)
        THEN
            RAISE EXCEPTION 'transfer %: not what % % says', NEW.id, what, number
                USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_explained';
        END IF;
    END IF;
    IF NOT told.by_staff THEN
        RETURN NULL;
    END IF;
    PERFORM FROM audit_event e
      WHERE e.transfer_kind = what AND e.transfer_reference = number AND e.transaction_id = txid_current()
        AND e.actor_kind = told.actor_kind AND e.actor_id IS NOT DISTINCT FROM told.actor_id
        AND e.actor_name = told.actor_name AND e.reason = told.reason AND told.reason <> '';
    IF NOT FOUND THEN
        RAISE EXCEPTION '% %: a balance changed by staff, and the audit log does not tell who did it and why',
            what, number USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_audited';
    END IF;
    RETURN NULL;
END $$;
