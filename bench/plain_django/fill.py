"""The comparator's database: the same customers, services and orders, copied from the filled panel."""

import hashlib
from collections.abc import Sequence

import psycopg

_SERVICES = """
    SELECT s.id, s.name, c.name, s.rate, s.minimum, s.maximum, s.enabled
      FROM service s JOIN category c ON c.id = s.category_id
"""
_ACCOUNTS = (
    "SELECT id, 'customer' || id || '@bench.example', balance_micros / 1e6 FROM account WHERE user_id IS NOT NULL"
)
_ORDERS = """
    SELECT id, account_id, service_id,
           CASE state WHEN 'completed' THEN 'Completed' WHEN 'partial' THEN 'Partial' WHEN 'canceled' THEN 'Canceled'
                      WHEN 'in_progress' THEN 'In progress' ELSE 'Pending' END,
           link, quantity, rate, (charge_micros - refunded_micros) / 1e6, start_count, remains, created_at, updated_at
      FROM orders ORDER BY id
"""
_TRANSFERS = """
    SELECT account_id, CASE WHEN kind <> 'deposit' THEN reference END, kind, amount_micros / 1e6,
           balance_after_micros / 1e6, created_at
      FROM transfer WHERE account_id IS NOT NULL ORDER BY id
"""

_ORDER_COLUMNS = """
    id, account_id, service_id, status, link, quantity, rate, charge, start_count, remains, created_at, updated_at
"""

_COPIES = (
    (_ACCOUNTS, "account (id, email, balance)"),
    (_SERVICES, "service (id, name, category, rate, minimum, maximum, enabled)"),
    (_ORDERS, f"orders ({_ORDER_COLUMNS})"),
    (_TRANSFERS, "transfer (account_id, order_id, kind, amount, balance_after, created_at)"),
)

BALANCES_AGREE = """
    SELECT count(*) FROM account a
     WHERE balance <> (SELECT balance_after FROM transfer t WHERE t.account_id = a.id ORDER BY id DESC LIMIT 1)
        OR balance <> (SELECT sum(CASE kind WHEN 'charge' THEN -amount ELSE amount END) FROM transfer t
                        WHERE t.account_id = a.id)
"""
"""How many accounts' balances are not what their transfers say: the comparator must do its work right, too."""


def fill_plain(panel_url: str, plain_url: str, *, accounts: Sequence[int], keys: Sequence[str]) -> None:
    """Copy what the panel holds into the migrated, empty tables."""
    with psycopg.connect(panel_url) as source, psycopg.connect(plain_url) as target:
        for query, table in _COPIES:
            read, write = f"COPY ({query}) TO STDOUT", f"COPY {table} FROM STDIN"
            with source.cursor().copy(read) as rows, target.cursor().copy(write) as sink:
                for block in rows:
                    sink.write(block)
        digests = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
        target.execute(
            "INSERT INTO api_key (account_id, digest) SELECT * FROM unnest(%s::bigint[], %s::text[])",
            (list(accounts), digests),
        )
        for table in ("account", "service", "orders"):
            target.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'), (SELECT max(id) FROM " + table + "))", (table,)
            )
