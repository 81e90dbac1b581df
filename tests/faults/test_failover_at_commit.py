"""The worker's connection to the database ends exactly at the COMMIT of a claim, or of a settling: nobody knows whether
it took effect, and the order is sent once all the same."""

import pytest

from commit_tap import CommitTap, Cut
from panel import Panel
from processes import SandboxProcess, eventually, start_worker
from unknowns import Story

CLAIM = b"INSERT INTO attempt ("
SETTLING = b"UPDATE attempt a\n"


@pytest.mark.parametrize("of", [CLAIM, SETTLING], ids=["of a claim", "of a settling"])
def test_an_order_is_sent_once_wherever_the_worker_loses_its_database_at_a_commit(
    panel: Panel, sandbox: SandboxProcess, of: bytes
) -> None:
    story = Story(panel, sandbox)
    tap = CommitTap(writes=of)
    with start_worker({"HAWKER_DATABASE_URL": tap.database_url}):
        first = story.place()
        eventually("the worker works", lambda: story.state(first) == "submitted", seconds=60)
        for number, cut in enumerate(Cut, start=1):
            tap.arm(cut, lambda: None)
            order = story.place(100 + number)
            eventually(f"it is cut: {cut.value}", lambda number=number: tap.cuts == number, seconds=60)
            eventually("it is sent", lambda order=order: story.state(order) == "submitted", seconds=90)
            story.assert_bound(order)
            received = [call for call in sandbox.calls("add") if call["fields"]["link"] == panel.order(order)["link"]]
            assert len(received) == 1, cut
    tap.close()
