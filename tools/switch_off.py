"""Switch each guard of the five promises off, once, and see its test fail: a test that cannot fail proves nothing.

    python tools/switch_off.py [NAME…]      all of them, or those whose names hold one of these words

Works on a copy of the repository in a temporary folder, with the packages of this environment: changes a few words of
the product, runs the tests that should notice up to the first that fails, puts the words back. Prints a row for
docs/reliability.md for each guard, and ends with 1 where none failed, or where the words are not there any more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
SECONDS = 900


@dataclass(frozen=True)
class Guard:
    """A guard: the words in `file` that are it, what stands there without it, and the tests that should notice."""

    name: str
    file: str
    words: str
    without: str
    tests: tuple[str, ...]


_DISPATCH = "src/hawker/worker/sending.py"
_SETTLE = "src/hawker/orders/sending/settling_queries.py"
_UPSTREAM = "src/hawker/protocol/upstream.py"
_ORPHANS = "src/hawker/orders/reconciling/rules.py"
_LINE = "src/hawker/providers/http_client.py"
_MOVES = "src/hawker/orders/migrations/guards.sql"
_MONEY = "src/hawker/ledger/migrations/guards.sql"
_FIRST = "src/hawker/orders/migrations/0001_initial.py"

_SENDING = ("tests/orders/test_dispatch.py", "tests/orders/test_dispatch_in_trouble.py")
_WIRE = ("tests/faults/test_wire_faults.py",)
_GUARDS = ("tests/orders/test_order_guards.py",)
_RECONCILE = ("tests/orders/test_reconcile.py",)
_VERDICTS = ("tests/protocol/test_answers_to_add.py",)
_LEDGER = ("tests/ledger/test_ledger_guards.py",)

GUARDS = (
    Guard(
        "one live attempt per order (I12)",
        _FIRST,
        'condition=models.Q(("kind", "add"), ("state__in", ("sending", "unknown", "accepted"))),',
        'condition=models.Q(("kind", "add"), ("state__in", ("none",))),',
        _GUARDS,
    ),
    Guard(
        "an upstream id is bound once, in the database (I13)",
        _FIRST,
        'condition=models.Q(("upstream_id__isnull", False)),\n                        fields=("provider", "kind"',
        'condition=models.Q(("upstream_id", -1)),\n                        fields=("provider", "kind"',
        _GUARDS,
    ),
    Guard(
        "attempts make only the allowed state transitions",
        _MOVES,
        "'sending>accepted', 'sending>rejected'",
        "'unknown>sending', 'rejected>sending', 'accepted>unknown', 'sending>accepted', 'sending>rejected'",
        _GUARDS,
    ),
    Guard(
        "`unknown` ends only with evidence",
        _MOVES,
        "IF OLD.state = 'unknown' AND (NEW.evidence",
        "IF false AND (NEW.evidence",
        _GUARDS,
    ),
    Guard(
        "only `sending` and `unknown` are settled",
        _SETTLE,
        "AND a.state IN ('sending', 'unknown')\n     ORDER",
        "\n     ORDER",
        _SENDING,
    ),
    Guard(
        "claims skip rows that another worker has locked",
        "src/hawker/orders/sending/queries.py",
        "       FOR UPDATE OF w, o SKIP LOCKED\n",
        "",
        _SENDING,
    ),
    Guard(
        "an old claim is not sent",
        _DISPATCH,
        "total_seconds()) > CLAIM_SECONDS",
        "total_seconds()) > 1e9",
        _SENDING,
    ),
    Guard(
        "the worker connects before it claims",
        "src/hawker/worker/sweeps.py",
        "            if kind in (WorkKind.DISPATCH, WorkKind.REFILL):\n                with",
        "            if kind is WorkKind.POLL:\n                with",
        ("tests/providers/test_provider_health.py",),
    ),
    Guard(
        "a closed connection is not written to",
        _LINE,
        "        return bool(poll.poll(0))",
        "        return False",
        _WIRE,
    ),
    Guard(
        "reconnects are limited when an upstream closes every connection",
        "src/hawker/worker/provider_clients.py",
        "for _ in range(_TRIES):",
        "for _ in range(50):",
        _WIRE,
    ),
    Guard(
        "a call ends at its deadline",
        _LINE,
        "async with asyncio.timeout(deadline_seconds):",
        "async with asyncio.timeout(deadline_seconds * 4):",
        _WIRE,
    ),
    Guard(
        "a response without a request is dropped",
        _LINE,
        "        if self._has_more():",
        "        if False:",
        _SENDING,
    ),
    Guard(
        "a lost connection is unknown, not rejected",
        _DISPATCH,
        "return Outcome(claim.attempt_id, Unknown(str(failure)))",
        "return Outcome(claim.attempt_id, NotSent(str(failure)))",
        _WIRE,
    ),
    Guard(
        "an expired lease is unknown, not queued",
        "src/hawker/orders/sending/settling.py",
        "return [Outcome(row[0], Unknown(why.format(row[2])), seen=False) for row in expired]",
        "return [Outcome(row[0], NotSent(why.format(row[2])), seen=False) for row in expired]",
        ("tests/orders/test_dispatch.py", "tests/faults/test_crash_points.py"),
    ),
    Guard(
        "5xx is unknown",
        _UPSTREAM,
        "if http_status >= 500:\n        return Unk",
        "if False:\n        return Unk",
        _VERDICTS,
    ),
    Guard(
        "a response with both an order and an error is unknown",
        _UPSTREAM,
        "if has_error and id_key not in answer:",
        "if has_error:",
        _VERDICTS,
    ),
    Guard(
        "a redirect is unknown",
        _UPSTREAM,
        "if 300 <= http_status < 400:\n        return Unk",
        "if False:\n        return Unk",
        _VERDICTS,
    ),
    Guard(
        "one empty scan does not prove that an order was not made",
        _ORPHANS,
        "if empty_since is None or now - empty_since < SECOND_LOOK:",
        "if False:",
        _RECONCILE,
    ),
    Guard(
        "an orphan must have the unknown order's charge",
        _ORPHANS,
        "    return abs(status.charge_micros - doubt.charge_micros) < CUSTOMER_STEP_MICROS",
        "    return True",
        (*_RECONCILE, "tests/orders/test_reconcile_at_random.py"),
    ),
    Guard(
        "a window with few orders around it proves nothing",
        _ORPHANS,
        "if sample < GROWTH_SAMPLE:",
        "if False:",
        _RECONCILE,
    ),
    Guard(
        "the balance prevents what it contradicts",
        _ORPHANS,
        "    if charged:\n",
        "    if False:\n",
        _RECONCILE,
    ),
    Guard(
        "a window without an order after it is scanned once",
        "src/hawker/orders/reconciling/actions.py",
        "if windows[0].open is Side.HIGH and (result := _open_result(survey, doubt)):",
        "if result := None:",
        ("tests/orders/test_reconcile_quiet.py::test_what_appears_on_a_quiet_panel_after_the_scan_is_never_bound",),
    ),
    Guard(
        "a window without an order before it needs the balance",
        _ORPHANS,
        "and look.window.open is Side.LOW and not charged:",
        "and False:",
        ("tests/orders/test_reconcile_quiet.py::test_an_order_from_before_hawkers_first_is_never_bound",),
    ),
    Guard(
        "a scan waits for an order that is still in progress",
        "src/hawker/orders/reconciling/actions.py",
        "if survey.first_sending is not None and survey.first_sending <= window.high.done_at:",
        "if False:",
        ("tests/orders/test_reconcile_quiet.py",),
    ),
    Guard(
        "a request that may still be in progress is not judged",
        "src/hawker/orders/reconciling/number_windows.py",
        "for n in after if n.started_at >= doubt.ended_at)",
        "for n in after)",
        (*_RECONCILE, "tests/orders/test_reconcile_at_random.py"),
    ),
    Guard(
        "a COMMIT without confirmation is not repeated",
        "src/hawker/core/sql.py",
        "again = rolled_back or (not phase.committing and lost)",
        "again = rolled_back or lost",
        ("tests/kills/test_commit_failover.py",),
    ),
    Guard(
        "accounts are locked before they are charged",
        "src/hawker/ledger/queries.py",
        "     ORDER BY id FOR NO KEY UPDATE\n",
        "     ORDER BY id\n",
        ("tests/wire/test_parallel_orders.py",),
    ),
    Guard(
        "transfers are append-only (I5)",
        _MONEY,
        "CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer",
        "CREATE TRIGGER transfer_append_only BEFORE TRUNCATE ON transfer",
        _LEDGER,
    ),
    Guard(
        "an entry continues the account's last entry (I4)",
        _MONEY,
        "AND (f.seq < 1 OR (f.seq > 1 AND p.id IS NULL)",
        "AND false AND (f.seq < 1 OR (f.seq > 1 AND p.id IS NULL)",
        _LEDGER,
    ),
)


def main(words: list[str]) -> int:
    """Try the guards that were asked for; the exit code."""
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    unnoticed = 0
    with tempfile.TemporaryDirectory(prefix="guards-") as folder:
        copy = Path(folder) / "hawker"
        left_out = shutil.ignore_patterns(".git", ".venv", ".cache", "build", "__pycache__", "hawker-data")
        shutil.copytree(REPOSITORY, copy, ignore=left_out)
        for guard in chosen:
            noticed = _failures_without(guard, copy)
            unnoticed += not noticed
            print(f"| {guard.name} | `{guard.file.removeprefix('src/hawker/')}` | {_shown(noticed)} |", flush=True)
    return 1 if unnoticed else 0


def _failures_without(guard: Guard, copy: Path) -> list[str]:
    """The tests that fail while the guard is off."""
    path = copy / guard.file
    text = path.read_text(encoding="utf-8")
    if text.count(guard.words) != 1:
        print(f"the words of {guard.name!r} are {text.count(guard.words)} times in {guard.file}", file=sys.stderr)
        return []
    path.write_text(text.replace(guard.words, guard.without), encoding="utf-8")
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-r", "fE", *guard.tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    finally:
        path.write_text(text, encoding="utf-8")
    return re.findall(r"^(?:FAILED|ERROR) \S*?(\w+\.py::\w+)", ran.stdout, re.MULTILINE)


def _shown(failures: list[str]) -> str:
    return f"`{failures[0]}`" if failures else "**nothing failed**"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
