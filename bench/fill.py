"""Filling a panel: customers with keys and funds, a catalogue, and orders of every state with all that belongs to them.

By set SQL under the application's own role, so every trigger and constraint looks at each row as it does in
life, and `hawker verify` finds the result clean. Millions are written by the owner instead, with triggers off and
indexes set aside until the end (bulk.py), and `hawker verify` says afterwards that it is the same.
"""

import hashlib
import random
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import quote

import psycopg

from bench.bulk import in_bulk
from bench.errors import CannotBench
from bench.plan import Plan
from hawker.accounts.rules import digest_of

RATE, QUANTITY, CHARGE_MICROS, COST_MICROS = "0.90", 100, 90_000, 45_000
"""The one price of all loads, so that every side writes the same facts: 0.90 for 1,000, 100 ordered."""

CREDIT_MICROS = 10**12
ADD_BODIES = 20_000
IDS_ASKED = 100

_PEOPLE = """
    WITH person AS (
        INSERT INTO app_user (email, password, is_active, is_staff, created_at)
        SELECT 'customer' || n || '@bench.example', '', true, false, now() - interval '1 year'
          FROM generate_series(1, %(customers)s::bigint) n ORDER BY n
        RETURNING id)
    INSERT INTO account (user_id, currency, balance_micros, credit_limit_micros, seq)
    SELECT id, 'USD', 0, 0, 0 FROM person ORDER BY id
"""

_KEYS = """
    INSERT INTO api_key (user_id, digest, hint, label, scope, allowed_addresses, created_at)
    SELECT a.user_id, f.digest, f.hint, '', 'order', '{}', now() - interval '1 year'
      FROM unnest(%s::bigint[], %s::bytea[], %s::text[]) AS f(account_id, digest, hint)
      JOIN account a ON a.id = f.account_id
"""

_CATALOGUE = """
    WITH provider AS (
        INSERT INTO provider (name, url, key_cipher, currency, exchange_rate, allow_private, enabled, pause_reason,
                              created_at)
        SELECT 'upstream ' || n, 'https://upstream' || n || '.invalid/api/v2', '', 'USD', '1', false, true, '', now()
          FROM generate_series(1, 2) n
        RETURNING id),
    category AS (
        INSERT INTO category (name, position) SELECT 'Category ' || n, n FROM generate_series(0, 49) n
        RETURNING id, position),
    service AS (
        INSERT INTO service (category_id, name, type, rate, minimum, maximum, refill, cancel, dripfeed, free, enabled,
                             position, created_at)
        SELECT c.id, format('Network %%s followers, %%s a day, refill %%s days, no drop', n, n %% 90 * 100, n %% 60),
               'Default', %(rate)s, 50, 10000, n %% 2 = 0, n %% 3 = 0, n %% 5 = 0, false, true, n, now()
          FROM generate_series(1, %(services)s::bigint) n JOIN category c ON c.position = n %% 50
         ORDER BY n
        RETURNING id)
    INSERT INTO route (service_id, position, provider_id, upstream_service, cost_rate)
    SELECT s.id, 0, (SELECT min(id) + s.id %% 2 FROM provider), s.id, '0.45' FROM service s
"""

_DEPOSITS = """
    WITH deposit AS (
        INSERT INTO deposit (account_id, gateway, gateway_transaction, amount_micros, reason, created_at, actor_kind,
                             actor_name)
        SELECT id, 'bench', 'bench ' || id, %(credit)s, 'opening credit', now() - interval '1 year', 'system', 'bench'
          FROM account WHERE user_id IS NOT NULL
        RETURNING id, account_id, amount_micros, created_at)
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at, operation)
    SELECT 'deposit', 3, account_id, amount_micros, 'USD', id, 0, account_id, 1, amount_micros, created_at,
           'customer.add'
      FROM deposit
"""

# The numbers that providers gave are far above those of a sandbox that is started later.
# Nine in ten are over: delivered, delivered in part, canceled. The rest is on its way or waits to be sent.
_OLD_ORDERS = """
    CREATE TEMP TABLE old ON COMMIT DROP AS
    WITH drawn AS (
        SELECT n, %(first_account)s + n %% %(customers)s AS account_id, s.first + n %% s.many AS service_id,
               100 + n %% 50 * 10 AS quantity,
               now() - (%(orders)s - n + 1) * interval '10 seconds' AS created_at,
               (ARRAY['partial', 'canceled', 'in_progress', 'queued'])[n / %(customers)s %% 20 - 15] AS state
          FROM generate_series(0, %(orders)s::bigint - 1) n,
               (SELECT min(id) AS first, count(*) AS many FROM service) s),
    priced AS (SELECT n, account_id, service_id, quantity, created_at, COALESCE(state, 'completed') AS state,
                      quantity * 900 AS charge_micros, quantity * 450 AS cost_micros FROM drawn)
    SELECT n, nextval('orders_id_seq') AS id, account_id, service_id, quantity, created_at, state, charge_micros,
           cost_micros,
           CASE state WHEN 'partial' THEN charge_micros / 4 / 10 * 10 WHEN 'canceled' THEN charge_micros ELSE 0 END
               AS refunded_micros,
           CASE state WHEN 'partial' THEN charge_micros - charge_micros / 4 / 10 * 10
                      WHEN 'completed' THEN charge_micros ELSE 0 END AS earned_micros,
           CASE state WHEN 'partial' THEN quantity / 4 WHEN 'completed' THEN 0 WHEN 'in_progress' THEN quantity / 2
                      WHEN 'canceled' THEN quantity END AS remains,
           (SELECT min(id) FROM provider) + service_id %% 2 AS provider_id, 1000000000 + n AS upstream_id
      FROM priced ORDER BY n
"""

_ORDERS = """
    INSERT INTO orders (id, account_id, service_id, type, state, link, quantity, extra, rate, charge_micros,
                        refunded_micros, earned_micros, settlements, cost_micros, start_count, remains, provider_id,
                        upstream_id, created_at, updated_at, ended_at, origin)
    SELECT id, account_id, service_id, 'Default', state, 'https://example.com/old/' || n, quantity, NULL, %(rate)s,
           charge_micros, refunded_micros, earned_micros, (refunded_micros + earned_micros > 0)::int, cost_micros,
           CASE WHEN state <> 'queued' THEN n %% 10000 END, remains,
           CASE WHEN state <> 'queued' THEN provider_id END, CASE WHEN state <> 'queued' THEN upstream_id END,
           created_at, created_at, CASE WHEN state IN ('completed', 'partial', 'canceled') THEN created_at END,
           'api_key'
      FROM old ORDER BY id
"""

_ATTEMPTS = """
    INSERT INTO attempt (order_id, kind, n, provider_id, state, lease_until, worker, expected_cost_micros, started_at,
                         done_at, http_status, body_head, upstream_id, evidence)
    SELECT id, 'add', 1, provider_id, 'accepted', created_at, 'bench', cost_micros, created_at, created_at, 200, '',
           upstream_id,
           'the provider answered order ' || upstream_id
      FROM old WHERE state <> 'queued' ORDER BY id
"""

_WORK = """
    INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold)
    SELECT id, CASE state WHEN 'queued' THEN 'dispatch' ELSE 'poll' END, provider_id, now() + interval '1 hour', 0, ''
      FROM old WHERE state IN ('queued', 'in_progress') ORDER BY id
"""

_TRANSFERS = """
    WITH moved AS (
        SELECT id, account_id, 0 AS step, 'charge' AS kind, account_id AS debit_id, 1 AS credit_id,
               charge_micros AS amount_micros, account_id AS entry_of, created_at FROM old
        UNION ALL
        SELECT id, account_id, 1, 'refund', 1, account_id, refunded_micros, account_id, created_at
          FROM old WHERE refunded_micros > 0
        UNION ALL
        SELECT id, account_id, 2, 'delivery', 1, 2, earned_micros, NULL, created_at FROM old WHERE earned_micros > 0)
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at, operation)
    SELECT kind, debit_id, credit_id, amount_micros, 'USD', id, 0, entry_of,
           CASE WHEN entry_of IS NOT NULL THEN 1 + row_number() OVER entries END,
           CASE WHEN entry_of IS NOT NULL
                THEN %(credit)s + sum(CASE WHEN kind = 'refund' THEN amount_micros ELSE -amount_micros END)
                     OVER (entries ROWS UNBOUNDED PRECEDING) END,
           created_at, CASE kind WHEN 'charge' THEN 'order.add' ELSE 'order.follow' END
      FROM moved
    WINDOW entries AS (PARTITION BY entry_of ORDER BY id, step)
     ORDER BY id, step
"""

# What an order leaves behind on its way; an ended one has four.
_EVENTS = """
    INSERT INTO order_event (order_id, at, from_state, to_state, actor_kind, actor_name, reason)
    SELECT o.id, o.created_at, CASE m.step WHEN 0 THEN 'queued' WHEN 1 THEN 'sending' WHEN 2 THEN 'submitted'
                                           ELSE 'in_progress' END,
           CASE m.step WHEN 0 THEN 'sending' WHEN 1 THEN 'submitted' WHEN 2 THEN 'in_progress' ELSE o.state END,
           'system', 'bench', ''
      FROM old o CROSS JOIN generate_series(0, 3) AS m(step)
     WHERE o.state <> 'queued' AND (m.step < 3 OR o.state <> 'in_progress') ORDER BY o.id, m.step
"""

_BALANCES = """
    UPDATE account a SET balance_micros = t.balance_after_micros, seq = t.seq
      FROM (SELECT DISTINCT ON (account_id) account_id, seq, balance_after_micros FROM transfer
             WHERE account_id IS NOT NULL ORDER BY account_id, seq DESC) t
     WHERE a.id = t.account_id
"""

_OWNED = "SELECT account_id, array_agg(id) FROM orders WHERE id <= %s GROUP BY account_id"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the loads need to know of a filled panel."""

    accounts: Sequence[int]
    keys: Sequence[str]
    """One key per account, in the same order."""
    services: Sequence[int]
    provider_id: int
    last_order: int
    """Later ones were placed by loads: the comparator has others under these numbers."""


def fill(url: str, plan: Plan, *, secret: str, owner_url: str) -> Filled:
    """Fill the empty panel at `url` (the application's role); one transaction. `secret` is the keys' pepper."""
    many = plan.orders >= plan.bulk_from
    values = {"customers": plan.customers, "services": plan.services, "orders": plan.orders, "rate": RATE}
    values |= {"credit": CREDIT_MICROS}
    with psycopg.connect(owner_url if many else url) as connection, in_bulk(connection) if many else nullcontext():
        connection.execute(_PEOPLE, values)
        accounts = [
            row[0] for row in connection.execute("SELECT id FROM account WHERE user_id IS NOT NULL ORDER BY id")
        ]
        values["first_account"] = accounts[0]
        keys = [hashlib.sha256(b"bench %d" % account_id).hexdigest() for account_id in accounts]
        connection.execute(_KEYS, (accounts, [digest_of(key, secret) for key in keys], [key[-4:] for key in keys]))
        connection.execute(_CATALOGUE, values)
        connection.execute(_DEPOSITS, values)
        connection.execute(_OLD_ORDERS, values)
        for statement in (_ORDERS, _ATTEMPTS, _WORK, _TRANSFERS, _EVENTS):
            connection.execute(statement, values)
        connection.execute(_BALANCES)
        services = [row[0] for row in connection.execute("SELECT id FROM service ORDER BY id")]
        row = connection.execute("SELECT min(id), (SELECT max(id) FROM orders) FROM provider").fetchone()
    assert row is not None, "min() answers a row"
    # pgbench draws accounts and services from ranges: there must be no holes in them.
    assert accounts == list(range(accounts[0], accounts[0] + plan.customers))
    assert services == list(range(services[0], services[0] + plan.services))
    return Filled(accounts, keys, services, *row)


# --- what the loads ask ----------------------------------------------------------------------------------


def add_bodies(filled: Filled, *, customers: int) -> list[str]:
    """Form bodies of `add`: customer, service and link by chance, the link encoded as form libraries do."""
    chance = random.Random(1)
    keys = filled.keys[:customers]
    links = (quote(f"https://example.com/post/{chance.randrange(10**9)}", safe="") for _ in range(ADD_BODIES))
    return [
        f"key={chance.choice(keys)}&action=add&service={chance.choice(filled.services)}&link={link}&quantity={QUANTITY}"
        for link in links
    ]


def balance_bodies(filled: Filled) -> list[str]:
    """Form bodies of `balance`, every customer once."""
    return _shuffled([f"key={key}&action=balance" for key in filled.keys])


def services_bodies(filled: Filled) -> list[str]:
    """Form bodies of `services`, every customer once."""
    return _shuffled([f"key={key}&action=services" for key in filled.keys])


def status_bodies(filled: Filled, url: str) -> list[str]:
    """Form bodies of `status`, each asking 100 of one customer's own orders."""
    chance = random.Random(1)
    with psycopg.connect(url) as connection:
        owned: dict[int, list[int]] = dict(connection.execute(_OWNED, (filled.last_order,)).fetchall())
    bodies = []
    for account_id, key in zip(filled.accounts, filled.keys, strict=True):
        ids = owned.get(account_id, [])
        if len(ids) >= IDS_ASKED:
            asked = "%2C".join(map(str, chance.sample(ids, IDS_ASKED)))
            bodies.append(f"key={key}&action=status&orders={asked}")
    if not bodies:
        raise CannotBench(f"no customer has {IDS_ASKED} orders to ask for: give --orders {IDS_ASKED} times --customers")
    return _shuffled(bodies)


def _shuffled(bodies: list[str]) -> list[str]:
    random.Random(1).shuffle(bodies)
    return bodies
