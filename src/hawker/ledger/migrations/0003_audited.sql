-- What staff did to balances before there was an audit log is entered from the rows that tell of it.
INSERT INTO audit_event (at, actor, actor_kind, address, action, subject_kind, subject_id, before, after, reason,
                         transfer_kind, transfer_reference, transaction_id)
SELECT s.created_at, s.actor, 'system', COALESCE(host(s.address), 'local'), 'balance.' || s.kind, 'account',
       s.account_id::text, NULL, NULL, s.reason, s.kind, s.id, txid_current()
  FROM (SELECT 'correction' AS kind, id, account_id, actor, reason, address, created_at FROM correction
         UNION ALL
        SELECT 'deposit', id, account_id, actor, reason, address, created_at FROM deposit WHERE gateway = 'manual') s
 ORDER BY s.created_at, s.kind, s.id;

-- I14: a balance that staff change has its row in the audit log, written in the same transaction by the same actor for
-- the same reason. Looked at before the COMMIT, so that the order of the statements is nobody's worry. Neither
-- charges nor refunds come here: the conditions of the triggers leave them out before anything is queued.
CREATE FUNCTION check_audited() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text;
    number bigint;
    by_staff record;
BEGIN
    IF TG_TABLE_NAME = 'transfer' THEN
        what := NEW.kind;
        number := NEW.reference;
    ELSE
        what := TG_TABLE_NAME;
        number := NEW.id;
    END IF;
    IF what = 'correction' THEN
        SELECT actor, reason INTO by_staff FROM correction WHERE id = number;
    ELSE
        SELECT actor, reason, gateway INTO by_staff FROM deposit WHERE id = number;
        IF FOUND AND by_staff.gateway <> 'manual' THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM FROM audit_event e
      WHERE e.transfer_kind = what AND e.transfer_reference = number AND e.transaction_id = txid_current()
        AND e.actor = by_staff.actor AND e.reason = by_staff.reason AND by_staff.reason <> '';
    IF NOT FOUND THEN
        RAISE EXCEPTION '% %: a balance changed by staff, and the audit log does not tell who did it and why',
            what, number USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_audited';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER transfer_audited AFTER INSERT ON transfer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind IN ('correction', 'deposit')) EXECUTE FUNCTION check_audited();
CREATE CONSTRAINT TRIGGER correction_audited AFTER INSERT ON correction DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_audited();
CREATE CONSTRAINT TRIGGER deposit_audited AFTER INSERT ON deposit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.gateway = 'manual') EXECUTE FUNCTION check_audited();
