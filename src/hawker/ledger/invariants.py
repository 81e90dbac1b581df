"""What must always hold of accounts and transfers: I1-I5, I9-I11 and I14 of docs/reliability.md."""

from hawker.core.invariants import Invariant

_TRANSFERS = "SELECT count(*) FROM transfer"
_CUSTOMERS = "SELECT count(*) FROM account WHERE user_id IS NOT NULL"

INVARIANTS = (
    Invariant(
        "I1",
        "every transfer balances: two accounts, an amount above 0",
        _TRANSFERS,
        """SELECT format('transfer %s: amount %s from %s to %s', t.id, t.amount_micros, t.debit_id, t.credit_id)
             FROM transfer t
             LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
            WHERE t.amount_micros <= 0 OR t.debit_id = t.credit_id OR d.id IS NULL OR c.id IS NULL""",
    ),
    Invariant(
        "I2",
        "no customer's balance is below the credit limit",
        _CUSTOMERS,
        """SELECT format('account %s: balance %s, credit limit %s', id, balance_micros, credit_limit_micros)
             FROM account WHERE user_id IS NOT NULL AND balance_micros < -credit_limit_micros""",
    ),
    Invariant(
        "I3",
        "a balance is the sum of its transfers",
        _CUSTOMERS,
        """SELECT format('account %s: balance %s, transfers sum to %s', a.id, a.balance_micros, COALESCE(s.total, 0))
             FROM account a
             LEFT JOIN (SELECT account_id, sum(amount) AS total FROM (
                            SELECT debit_id AS account_id, -amount_micros AS amount FROM transfer
                            UNION ALL SELECT credit_id, amount_micros FROM transfer) sides
                         GROUP BY account_id) s ON s.account_id = a.id
            WHERE a.user_id IS NOT NULL AND a.balance_micros <> COALESCE(s.total, 0)""",
    ),
    Invariant(
        "I4",
        "an account's entries are numbered without gaps and each continues the last",
        "SELECT count(*) FROM transfer WHERE account_id IS NOT NULL",
        """SELECT format('account %s, entry %s: does not continue the one before', account_id, seq) FROM (
               SELECT account_id, seq, balance_after_micros,
                      CASE WHEN credit_id = account_id THEN amount_micros ELSE -amount_micros END AS change,
                      lag(seq, 1, 0::bigint) OVER entries AS seq_before,
                      lag(balance_after_micros, 1, 0::bigint) OVER entries AS balance_before
                 FROM transfer WHERE account_id IS NOT NULL
               WINDOW entries AS (PARTITION BY account_id ORDER BY seq)) e
            WHERE seq <> seq_before + 1 OR balance_after_micros <> balance_before + change
            UNION ALL
           SELECT format('account %s: sequence %s, last entry %s', a.id, a.seq, COALESCE(max(t.seq), 0))
             FROM account a LEFT JOIN transfer t ON t.account_id = a.id
            WHERE a.user_id IS NOT NULL GROUP BY a.id HAVING a.seq <> COALESCE(max(t.seq), 0)""",
    ),
    Invariant(
        "I5",
        "the append-only tables have their triggers, and the application's role owns no table",
        "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal",
        """SELECT format('trigger %s on %s is switched off', tgname, tgrelid::regclass)
             FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'D'
            UNION ALL
           SELECT format('table %s has lost its guard %s', f.tbl, f.trg)
             FROM (VALUES ('transfer', 'transfer_append_only'), ('transfer', 'transfer_checked'),
                          ('deposit', 'deposit_append_only'), ('correction', 'correction_append_only'),
                          ('account', 'account_updated_checked'), ('account', 'account_inserted_checked'),
                          ('account', 'account_stays'), ('account', 'account_identity_stays'),
                          ('transfer', 'transfer_audited'), ('correction', 'correction_audited'),
                          ('deposit', 'deposit_audited'), ('audit_event', 'audit_event_append_only')) AS f(tbl, trg)
            WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = f.tbl::regclass AND tgname = f.trg)
            UNION ALL
           SELECT format('the application role owns %s', relname)
             FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
            WHERE r.rolname = 'hawker_app' AND c.relkind IN ('r', 'p', 'v', 'S')""",
    ),
    Invariant(
        "I9",
        "a gateway's transaction is credited once, by exactly its amount",
        "SELECT count(*) FROM deposit",
        """SELECT format('deposit %s: %s credited by %s transfers of %s', d.id, d.amount_micros, count(t.id),
                         COALESCE(sum(t.amount_micros), 0))
             FROM deposit d
             LEFT JOIN transfer t ON t.kind = 'deposit' AND t.reference = d.id AND t.account_id = d.account_id
            GROUP BY d.id HAVING count(t.id) <> 1 OR sum(t.amount_micros) <> d.amount_micros
            UNION ALL
           SELECT format('transfer %s: a deposit that is not there', t.id) FROM transfer t
            WHERE t.kind = 'deposit' AND NOT EXISTS (SELECT FROM deposit d WHERE d.id = t.reference)
            UNION ALL
           SELECT format('%s %s credited %s times', gateway, gateway_transaction, count(*)) FROM deposit
            GROUP BY gateway, gateway_transaction HAVING count(*) > 1""",
    ),
    Invariant(
        "I10",
        "no transfer crosses currencies",
        _TRANSFERS,
        """SELECT format('transfer %s: %s between %s and %s', t.id, t.currency, d.currency, c.currency)
             FROM transfer t JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
            WHERE t.currency <> d.currency OR t.currency <> c.currency""",
    ),
    Invariant(
        "I11",
        "customers, escrow and house together come to 0",
        "SELECT count(*) FROM account",
        """SELECT format('customers hold %s, the house %s', customers, house) FROM (
               SELECT (SELECT COALESCE(sum(balance_micros), 0) FROM account WHERE user_id IS NOT NULL) AS customers,
                      (SELECT COALESCE(sum(CASE WHEN credit_id < 1000 THEN amount_micros ELSE 0 END
                                           - CASE WHEN debit_id < 1000 THEN amount_micros ELSE 0 END), 0)
                         FROM transfer) AS house) totals
            WHERE customers + house <> 0""",
    ),
    Invariant(
        "I14",
        "every change of a balance by staff has an actor, a reason, its transfer and its row in the audit log",
        "SELECT (SELECT count(*) FROM correction) + (SELECT count(*) FROM deposit WHERE gateway = 'manual')",
        """SELECT format('correction %s: actor %s %L, reason %L, %s transfers', c.id, c.actor_kind, c.actor_name,
                         c.reason, count(t.id))
             FROM correction c
             LEFT JOIN transfer t ON t.kind = 'correction' AND t.reference = c.id AND t.account_id = c.account_id
                                 AND t.amount_micros = abs(c.amount_micros)
            GROUP BY c.id HAVING count(t.id) <> 1 OR c.actor_name = '' OR c.reason = ''
            UNION ALL
           SELECT format('transfer %s: a correction that is not there', t.id) FROM transfer t
            WHERE t.kind = 'correction' AND NOT EXISTS (SELECT FROM correction c WHERE c.id = t.reference)
            UNION ALL
           SELECT format('%s %s of %s: no row of the audit log has it, by %s %L for %L', s.kind, s.id, s.created_at,
                         s.actor_kind, s.actor_name, s.reason)
             FROM (SELECT 'correction' AS kind, id, actor_kind, actor_id, actor_name, reason, created_at FROM correction
                    UNION ALL
                   SELECT 'deposit', id, actor_kind, actor_id, actor_name, reason, created_at FROM deposit
                    WHERE gateway = 'manual') s
            WHERE NOT EXISTS (SELECT FROM audit_event e
                               WHERE e.transfer_kind = s.kind AND e.transfer_reference = s.id
                                 AND e.actor_kind = s.actor_kind AND e.actor_id IS NOT DISTINCT FROM s.actor_id
                                 AND e.actor_name = s.actor_name AND e.reason = s.reason AND e.at = s.created_at)""",
    ),
)
