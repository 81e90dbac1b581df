"""A command whose database ends at the COMMIT says that nobody knows: money that is there is not credited again."""

import os
import subprocess
import sys

import pytest
from accounting import ask_owner

from commit_tap import CommitTap, Cut
from panel import Panel

NOT_KNOWN = "hawker: the database ended at its COMMIT, so nobody knows whether it was done: look before you repeat it\n"


def credit(tap: CommitTap, amount: str) -> "subprocess.CompletedProcess[str]":
    (email,) = ask_owner("SELECT email FROM app_user")[0]
    return subprocess.run(
        [sys.executable, "-m", "hawker", "customer", "credit", email, "--reason", "paid", "--", amount],
        env={**os.environ, "HAWKER_DATABASE_URL": tap.database_url},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("cut", "amount", "after"),
    [(Cut.BEFORE, "5.00", 0), (Cut.AFTER, "5.00", 5_000_000), (Cut.AFTER, "-5.00", -5_000_000)],
    ids=["not credited", "credited", "taken away"],
)
def test_a_change_of_a_balance_that_nobody_knows_of_is_told_as_such(
    panel: Panel, cut: Cut, amount: str, after: int
) -> None:
    customer = panel.customer(credit="10.00")
    tap = CommitTap(writes=b"UPDATE account")
    try:
        tap.arm(cut, lambda: None)
        done = credit(tap, amount)
    finally:
        tap.close()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", NOT_KNOWN)
    assert tap.cuts == 1
    assert panel.balance(customer) == 10_000_000 + after
