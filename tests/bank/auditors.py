"""Those who read in the bank test: in one snapshot, by arithmetic of their own, whether every micro is there."""

import threading
import time
from collections import defaultdict
from typing import Any

import psycopg

from hawker.core.settings import settings
from hawker.ledger.models import House

Cursor = psycopg.Cursor[tuple[Any, ...]]


def audit(cursor: Cursor) -> list[str]:
    """What deviates, in whatever the cursor's transaction sees; nothing where all is well.

    Customers, escrow and house come to 0; every balance is the sum of its transfers; every account's entries are
    numbered from 1 without gaps and each continues the last; escrow holds exactly what open orders hold.
    """
    accounts = cursor.execute(
        "SELECT id, balance_micros, seq FROM account WHERE user_id IS NOT NULL ORDER BY id"
    ).fetchall()
    sides: defaultdict[int, int] = defaultdict(int)
    sums = "SELECT debit_id, credit_id, sum(amount_micros)::bigint FROM transfer GROUP BY debit_id, credit_id"
    for debit, credit, amount in cursor.execute(sums):
        sides[debit] -= amount
        sides[credit] += amount
    held = cursor.execute(
        """SELECT COALESCE(sum(charge_micros - refunded_micros - earned_micros - handed_micros), 0)::bigint
             FROM orders WHERE parent_id IS NULL OR from_parent"""
    ).fetchone()
    chains = {row[0]: row[1:] for row in cursor.execute(_CHAINS)}
    house = sum(sides[account] for account in House)
    customers = sum(balance for _, balance, _ in accounts)
    found = [] if customers + house == 0 else [f"customers hold {customers}, the house {house}"]
    if held is None or held[0] != sides[House.ESCROW]:
        found.append(f"escrow holds {sides[House.ESCROW]}, the orders {held}")
    for account, balance, seq in accounts:
        if balance != sides[account]:
            found.append(f"account {account}: balance {balance}, transfers {sides[account]}")
        entries, breaks, last = chains.get(account, (0, 0, 0))
        if (seq, balance, 0) != (entries, last, breaks):
            found.append(
                f"account {account}: sequence {seq}, {entries} entries with {breaks} breaks that end at {last}"
            )
    return found


_CHAINS = """
    SELECT account_id, count(*),
           count(*) FILTER (WHERE seq <> place OR balance_after_micros <> running),
           (array_agg(balance_after_micros ORDER BY seq DESC))[1]
      FROM (SELECT account_id, seq, balance_after_micros,
                   row_number() OVER entries AS place,
                   sum(CASE credit_id WHEN account_id THEN amount_micros ELSE -amount_micros END) OVER entries running
              FROM transfer WHERE account_id IS NOT NULL
            WINDOW entries AS (PARTITION BY account_id ORDER BY seq)) e
     GROUP BY account_id
"""


class Auditor:
    """One thread that audits snapshot after snapshot until told to stop."""

    def __init__(self, *, isolation: str = "REPEATABLE READ") -> None:
        self.reads = 0
        self.deviations: list[list[str]] = []
        self.failed = ""
        self._isolation = isolation

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    self._read_on(stop)
                except psycopg.OperationalError:
                    # The database is away; who keeps books waits.
                    time.sleep(0.1)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self.failed = f"an auditor: {error!r}"

    def _read_on(self, stop: threading.Event) -> None:
        with psycopg.connect(settings().folder.embedded_url("hawker"), autocommit=True) as session:
            while not stop.is_set():
                with session.transaction():
                    cursor = session.cursor()
                    cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {self._isolation}, READ ONLY")
                    if found := audit(cursor):
                        self.deviations.append(found)
                self.reads += 1
                time.sleep(0.02)
