-- I5: rows about money are never changed or deleted.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER deposit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deposit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER correction_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_stays BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_identity_stays BEFORE UPDATE ON account
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.currency <> NEW.currency OR OLD.user_id IS DISTINCT FROM NEW.user_id)
    EXECUTE FUNCTION refuse_change();

-- I1, I4, I10: both accounts exist, share the transfer's currency, at most one is a customer's, and that
-- side's entry continues the entry before it. One look per statement instead of two foreign keys per row:
-- their row locks on the house accounts would serialise all orders.
-- The planner is held to index look-ups, because it plans this once, possibly while the tables are empty.
-- The search path is fixed: a temporary table is found before one of the schema, so whoever may make one could otherwise
-- have these triggers read accounts and entries of his own making.
CREATE FUNCTION check_transfers() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT f.id INTO bad
      FROM fresh f
      LEFT JOIN account d ON d.id = f.debit_id
      LEFT JOIN account c ON c.id = f.credit_id
     WHERE d.id IS NULL OR c.id IS NULL OR d.currency <> f.currency OR c.currency <> f.currency
        OR (d.user_id IS NOT NULL AND c.user_id IS NOT NULL)
        OR f.account_id IS DISTINCT FROM
           CASE WHEN d.user_id IS NOT NULL THEN d.id WHEN c.user_id IS NOT NULL THEN c.id END
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer %: accounts unknown, of two currencies, or not the entry''s', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_accounts';
    END IF;
    SELECT f.id INTO bad
      FROM fresh f
      LEFT JOIN transfer p ON p.account_id = f.account_id AND p.seq = f.seq - 1
     WHERE f.account_id IS NOT NULL
       AND (f.seq < 1 OR (f.seq > 1 AND p.id IS NULL)
            OR f.balance_after_micros <> COALESCE(p.balance_after_micros, 0)
               + CASE WHEN f.credit_id = f.account_id THEN f.amount_micros ELSE -f.amount_micros END)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer %: its entry does not continue the account''s last', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_chain';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER transfer_checked AFTER INSERT ON transfer REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION check_transfers();

-- I3, I4 from the account's side: a balance can only become what its last entry says.
CREATE FUNCTION check_accounts() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT n.id INTO bad
      FROM fresh n
      LEFT JOIN transfer t ON t.account_id = n.id AND t.seq = n.seq
     WHERE n.user_id IS NOT NULL
       AND n.balance_micros <> COALESCE(t.balance_after_micros, CASE WHEN n.seq = 0 THEN 0 ELSE n.balance_micros + 1 END)
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account %: the balance is not what its last entry says', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_balance_is_last_entry';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER account_updated_checked AFTER UPDATE ON account REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION check_accounts();
CREATE TRIGGER account_inserted_checked AFTER INSERT ON account REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION check_accounts();

ALTER SEQUENCE account_id_seq RESTART WITH 1000;

-- Balances change with every batch: room on the page keeps those updates off the indexes (HOT).
ALTER TABLE account SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- Checked before the COMMIT, so that the statements may come in any order. Charges and refunds are left out by the
-- conditions of the triggers, before anything is queued.
CREATE CONSTRAINT TRIGGER transfer_audited AFTER INSERT ON transfer DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind IN ('correction', 'deposit')) EXECUTE FUNCTION check_audited();
CREATE CONSTRAINT TRIGGER correction_audited AFTER INSERT ON correction DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_audited();
CREATE CONSTRAINT TRIGGER deposit_audited AFTER INSERT ON deposit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.gateway = 'manual') EXECUTE FUNCTION check_audited();
