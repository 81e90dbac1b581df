"""The set SQL of the ledger. Each statement is named, described, and takes arrays."""

LOCK_ACCOUNTS = """
    SELECT id, balance_micros, credit_limit_micros, seq
      FROM account WHERE id = ANY(%s::bigint[]) AND user_id IS NOT NULL
     ORDER BY id FOR NO KEY UPDATE
"""
"""The customers' accounts, locked in the order of their ids so that two batches cannot deadlock."""

INSERT_TRANSFERS = """
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part,
                          account_id, seq, balance_after_micros, created_at, operation)
    SELECT f.kind, f.debit_id, f.credit_id, f.amount_micros, %s, f.reference, f.part,
           f.account_id, f.seq, f.balance_after_micros, %s, %s
      FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::smallint[],
                  %s::bigint[], %s::bigint[], %s::bigint[])
        AS f(kind, debit_id, credit_id, amount_micros, reference, part, account_id, seq, balance_after_micros)
"""

UPDATE_ACCOUNTS = """
    UPDATE account a SET balance_micros = f.balance_micros, seq = f.seq
      FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS f(id, seq_before, balance_micros, seq)
     WHERE a.id = f.id AND a.seq = f.seq_before
"""
"""The new balances. A row whose sequence is not what was read under lock stays as it is: the next entry
would then break the chain and be refused."""

OPEN_HOUSE_ACCOUNTS = """
    INSERT INTO account (id, currency, credit_limit_micros, seq)
    SELECT id, %s, 0, 0 FROM unnest(%s::bigint[]) AS f(id) ON CONFLICT (id) DO NOTHING
"""

OTHER_CURRENCY = "SELECT currency FROM account WHERE id = %s AND currency <> %s"

INSERT_DEPOSITS = """
    INSERT INTO deposit (account_id, gateway, gateway_transaction, amount_micros, reason, created_at,
                         actor_kind, actor_id, actor_name, address)
    VALUES (%(account_id)s, %(gateway)s, %(gateway_transaction)s, %(amount_micros)s, %(reason)s, %(now)s,
            %(actor_kind)s, %(actor_id)s, %(actor_name)s, %(address)s)
    ON CONFLICT (gateway, gateway_transaction) DO NOTHING RETURNING id
"""

INSERT_CORRECTION = """
    INSERT INTO correction (account_id, amount_micros, reason, created_at, actor_kind, actor_id, actor_name, address)
    VALUES (%(account_id)s, %(amount_micros)s, %(reason)s, %(now)s, %(actor_kind)s, %(actor_id)s, %(actor_name)s,
            %(address)s)
    RETURNING id
"""

READ_BALANCES = """
    SELECT id, balance_micros FROM account WHERE id = ANY(%s::bigint[])
"""
