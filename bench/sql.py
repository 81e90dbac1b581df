"""pgbench placing one order per transaction into Hawker's own tables: what the database gives without batches.

It pays no HTTP, no parsing, no pricing, and neither takes the lock on the catalogue nor reads its version: this
is the least that writes the same facts through the same triggers. Fields are bound and statements prepared.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from bench.errors import RunFailed
from bench.figures import Loaded
from bench.fill import CHARGE_MICROS, COST_MICROS, QUANTITY, RATE
from bench.processes import run_timed

_SAMPLED = 0.1

_ONE_ORDER = f"""\
\\set account random(:first_account, :last_account)
\\set service random(:first_service, :last_service)
\\set post random(1, 1000000000)
BEGIN;
SELECT balance_micros, seq FROM account WHERE id = :account AND user_id IS NOT NULL FOR NO KEY UPDATE \\gset
INSERT INTO orders (account_id, service_id, type, state, link, quantity, extra, rate, charge_micros, refunded_micros, \
earned_micros, settlements, cost_micros, created_at, updated_at, origin) \
VALUES (:account, :service, 'Default', 'queued', format('https://example.com/post/%s', :post::bigint), {QUANTITY}, \
NULL, '{RATE}', {CHARGE_MICROS}, 0, 0, 0, {COST_MICROS}, now(), now(), 'api_key') RETURNING id \\gset
INSERT INTO transfer (kind, debit_id, credit_id, amount_micros, currency, reference, part, account_id, seq, \
balance_after_micros, created_at, operation) \
VALUES ('charge', :account, 1, {CHARGE_MICROS}, 'USD', :id, 0, :account, :seq::bigint + 1, \
:balance_micros::bigint - {CHARGE_MICROS}, now(), 'order.add');
INSERT INTO work (order_id, kind, provider_id, due_at, tries, hold) VALUES (:id, 'dispatch', :provider, now(), 0, '');
UPDATE account SET balance_micros = :balance_micros::bigint - {CHARGE_MICROS}, seq = :seq::bigint + 1 \
WHERE id = :account AND seq = :seq;
COMMIT;
"""


def run_pgbench(
    pgbench: str,
    url: str,
    folder: Path,
    *,
    ranges: Mapping[str, int],
    clients: int,
    seconds: int,
    env: Mapping[str, str],
) -> Loaded:
    """Load the database for whole `seconds`. `ranges` gives the script's variables. RunFailed."""
    script, log = folder / "one_order.sql", folder / "pgbench"
    script.write_text(_ONE_ORDER)
    for old in folder.glob("pgbench.*"):
        old.unlink()
    words = [pgbench, "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)), "-f", str(script)]
    words += ["-T", str(seconds), "-l", f"--sampling-rate={_SAMPLED}", f"--log-prefix={log}"]
    words += [word for name, value in ranges.items() for word in ("-D", f"{name}={value}")]
    said, cpu = run_timed([*words, url], env=env, timeout_seconds=seconds + 30)
    rate = re.search(r"^tps = ([0-9.]+)", said, re.MULTILINE)
    done = re.search(r"actually processed: (\d+)", said)
    failed = re.search(r"number of failed transactions: (\d+)", said)
    if rate is None or done is None:
        raise RunFailed(f"pgbench said nothing of its rate: {said[-500:]}")
    # Third field of each line: the transaction's microseconds.
    lines = (line for path in folder.glob("pgbench.*") for line in path.read_text().splitlines())
    took = sorted(int(line.split()[2]) for line in lines)
    return Loaded(
        requests=int(done.group(1)),
        per_second=float(rate.group(1)),
        p50_micros=_at(took, 0.50),
        p99_micros=_at(took, 0.99),
        refused=int(failed.group(1)) if failed else 0,
        broken=0,
        bytes=0,
        generator_seconds=cpu,
    )


def _at(ordered: list[int], share: float) -> float:
    return float(ordered[min(len(ordered) - 1, int(len(ordered) * share))]) if ordered else 0.0
