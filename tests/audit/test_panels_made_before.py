"""A panel that was filled before there was an audit log: what staff did is entered when it is migrated."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from hawker.core.settings import settings

OLD_MONEY = """
    INSERT INTO app_user (id, password, email, is_active, is_staff, created_at)
    VALUES (1, '', 'old@example.com', true, false, now());
    INSERT INTO account (id, user_id, currency, balance_micros, credit_limit_micros, seq)
    VALUES (1, NULL, 'USD', NULL, 0, 0), (3, NULL, 'USD', NULL, 0, 0), (4, NULL, 'USD', NULL, 0, 0),
           (1000, 1, 'USD', 0, 0, 0);
    INSERT INTO deposit (id, account_id, gateway, gateway_transaction, amount_micros, actor, reason, address,
                         created_at)
    VALUES (7, 1000, 'manual', 'T1', 5000000, 'command line', 'paid in cash', '192.0.2.7', now()),
           (8, 1000, 'bank', 'T2', 2000000, 'bank', 'webhook', NULL, now());
    INSERT INTO correction (id, account_id, amount_micros, actor, reason, created_at)
    VALUES (7, 1000, -1000000, 'command line', 'too much', now());
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at)
    VALUES ('deposit', 3, 1000, 5000000, 'USD', 7, 0, 1000, 1, 5000000, now());
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at)
    VALUES ('deposit', 3, 1000, 2000000, 'USD', 8, 0, 1000, 2, 7000000, now());
    INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq,
                          balance_after_micros, created_at)
    VALUES ('correction', 1000, 4, 1000000, 'USD', 7, 0, 1000, 3, 6000000, now());
    UPDATE account SET balance_micros = 6000000, seq = 3 WHERE id = 1000;
"""


@pytest.fixture
def url(database: None) -> Iterator[str]:
    """A database of its own in this test process's cluster."""
    owner = settings().folder.embedded_url("hawker")
    with psycopg.connect(owner, autocommit=True) as admin:
        admin.execute("CREATE DATABASE before")
    yield owner.replace("/hawker?", "/before?")
    with psycopg.connect(owner, autocommit=True) as admin:
        admin.execute("DROP DATABASE before WITH (FORCE)")


def run(url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "HAWKER_DATABASE_URL": url, "HAWKER_DATABASE_ACCESS": "owner"}
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_its_money_is_entered_in_the_audit_log(url: str) -> None:
    run(url, "django", "migrate", "ledger", "0002_guards", "--verbosity", "0")
    with psycopg.connect(url) as owner:
        owner.execute(OLD_MONEY)
    run(url, "hawker", "migrate")
    run(url, "hawker", "verify")
    told: list[dict[str, Any]] = msgspec.json.decode(run(url, "hawker", "audit", "list").stdout)
    assert sorted((event["action"], event["actor"], event["address"], event["reason"]) for event in told) == [
        ("balance.correction", "command line", "local", "too much"),
        ("balance.deposit", "command line", "192.0.2.7", "paid in cash"),
    ]
