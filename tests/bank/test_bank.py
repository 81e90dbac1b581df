"""Eight write, two read: money is conserved at every instant, and every micro is explained."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from auditors import Auditor, audit
from tellers import TELLERS, Bank, Teller

from cluster import bring_back, kill_postmaster
from hawker.core.settings import settings
from hawker.host.postgres import EmbeddedPostgres
from panel import Panel, forget_rows
from processes import SandboxProcess, ServeProcess, eventually, start_serve
from soaking import SOAKING, budget, counting

SECONDS = 15
ROUND_SECONDS = 40
"""In a soak the bank is opened anew so often, because the auditors read all that was ever written."""
KILL_EACH_SECONDS = 10


@pytest.fixture(scope="module")
def servers(database: None) -> Iterator[list[ServeProcess]]:
    """Two `hawker serve` over this process's database."""
    with start_serve() as one, start_serve() as two:
        yield [one, two]


def open_bank(panel: Panel, servers: Sequence[ServeProcess]) -> Bank:
    provider = panel.provider(SandboxProcess("http://127.0.0.1:9/api/v2", "nobody is asked", 0))
    offers = {"rate": "0.97", "cancel": True, "maximum": 100_000}
    return Bank(
        [panel.customer(credit="20.00") for _ in range(5)],
        panel.service(provider=provider, **offers),
        panel.service(**offers),
        panel.service(provider=provider, dripfeed=True, **offers),
        provider,
        [server.url for server in servers],
    )


class Opened:
    """All of them at work while the block runs."""

    def __init__(self, bank: Bank, auditors: Sequence[Auditor]) -> None:
        self.tellers = [Teller(bank, number, work) for number, work in enumerate(TELLERS)]
        self._auditors = auditors
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each.run, args=[self._stop]) for each in (*self.tellers, *auditors)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert [each.failed for each in (*self.tellers, *self._auditors) if each.failed] == []


@pytest.mark.timeout(0)
def test_no_snapshot_ever_deviates_while_eight_write(
    panel: Panel, servers: list[ServeProcess], cluster: EmbeddedPostgres
) -> None:
    """In a soak the database is killed again and again meanwhile."""
    ends_at = time.monotonic() + budget(SECONDS)
    with counting("bank") as counted:
        while (left := ends_at - time.monotonic()) > 0:
            forget_rows()
            bank, auditors = open_bank(panel, servers), [Auditor(), Auditor()]
            try:
                with Opened(bank, auditors):
                    bank_on(min(left, ROUND_SECONDS), cluster, counted)
            finally:
                counted.update(bank.counted)
                counted["reads"] += sum(auditor.reads for auditor in auditors)
                counted["deviations"] += sum(len(auditor.deviations) for auditor in auditors)
            assert [auditor.deviations for auditor in auditors] == [[], []]
            panel.assert_verified()
    kinds = ("orders", "refused", "cancels", "deposits", "corrections", "deliveries", "settled", "answers", "reads")
    assert [kind for kind in kinds if not counted[kind]] == []


def bank_on(seconds: float, cluster: EmbeddedPostgres, counted: "Counter[str]") -> None:
    """So long, with kills of the database in a soak."""
    ends_at = time.monotonic() + seconds
    while SOAKING and ends_at - time.monotonic() > KILL_EACH_SECONDS:
        time.sleep(KILL_EACH_SECONDS / 2)
        kill_postmaster(cluster, with_family=counted["kills"] % 2 == 1)
        counted["kills"] += 1
        bring_back(cluster)
        time.sleep(KILL_EACH_SECONDS / 2)
    time.sleep(max(0, ends_at - time.monotonic()))


PLANTED = {
    "a micro in a balance": "UPDATE account SET balance_micros = balance_micros + 1 WHERE id = {account}",
    "a skipped number": "UPDATE account SET seq = seq + 1 WHERE id = {account}",
    "a lost transfer": "DELETE FROM transfer WHERE account_id = {account} AND seq = 2",
    "a transfer of another amount": "UPDATE transfer SET amount_micros = amount_micros + 1 WHERE kind = 'charge'",
    "a broken chain": "UPDATE transfer SET balance_after_micros = 0 WHERE account_id = {account} AND seq = 2",
    "an order that earned a micro": "UPDATE orders SET earned_micros = earned_micros + 1",
    "an order that is gone": "DELETE FROM orders",
}


@pytest.mark.quick
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_an_auditor_finds_what_was_planted(panel: Panel, planted: str) -> None:
    customer = panel.customer()
    panel.place(customer, panel.service())
    with (
        psycopg.connect(settings().folder.embedded_url("hawker")) as owner,
        owner.transaction(force_rollback=True),
    ):
        cursor = owner.cursor()
        assert audit(cursor) == []
        # Past the guards, which refuse all of this from everybody.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(PLANTED[planted].format(account=customer.account_id))
        assert cursor.rowcount == 1
        assert audit(cursor) != []


@pytest.mark.timeout(0)
def test_an_auditor_without_a_snapshot_sees_money_in_mid_air(panel: Panel, servers: list[ServeProcess]) -> None:
    """So the load is one under which a sum that is read in two steps is wrong, and the snapshots prove something."""
    bank, auditor = open_bank(panel, servers), Auditor(isolation="READ COMMITTED")
    with Opened(bank, [auditor]):
        eventually("a read deviates", lambda: auditor.deviations)
