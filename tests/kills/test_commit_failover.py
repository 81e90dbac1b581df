"""The database, or the server, dies exactly at the COMMIT of an order: whatever became of it, asking again tells, and
an order is there once or not at all."""

from collections.abc import Callable, Iterator

import httpx2
import pytest
from accounting import ask_owner
from servers import Slot

from cluster import bring_back, kill_postmaster
from commit_tap import CommitTap, Cut
from hawker.host.postgres import EmbeddedPostgres
from hawker.ledger.customers import OpenedCustomer
from panel import Panel
from processes import Reply, ServeProcess
from soaking import counting, rounds

UNAVAILABLE = (503, b'{"error":"Service temporarily unavailable, please try again later"}')


@pytest.fixture(scope="module")
def tap() -> Iterator[CommitTap]:
    tap = CommitTap()
    yield tap
    tap.close()


@pytest.fixture(scope="module")
def tapped(database: None, tap: CommitTap) -> Iterator[Slot]:
    """A server whose every word with the database goes through the tap."""
    slot = Slot({"HAWKER_DATABASE_URL": tap.database_url})
    yield slot
    slot.close()


class Story:
    """One customer and the orders he asks for."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.customer: OpenedCustomer = panel.customer(credit="1000.00")
        self.service = panel.service(rate="0.90").id

    def add(self, server: ServeProcess, name: str, **request_id: str) -> Reply:
        """An order, under its name as the request id where no other is given."""
        fields = {"service": self.service, "quantity": 100, "link": f"https://example.com/{name}"}
        return server.call(self.customer.api_key, "add", **fields, **(request_id or {"request_id": name}))

    def orders(self, name: str) -> list[int]:
        link = f"https://example.com/{name}"
        return [row[0] for row in ask_owner("SELECT id FROM orders WHERE link = %s ORDER BY id", [link])]

    def assert_placed_once(self, name: str, reply: Reply) -> None:
        assert reply.http_status == 200, reply.body
        assert self.orders(name) == [reply.json["order"]]
        charges = "SELECT amount_micros FROM transfer WHERE kind = 'charge' AND reference = %s"
        assert ask_owner(charges, [reply.json["order"]]) == [(90_000,)]
        self.panel.assert_verified()


@pytest.mark.timeout(0)
@pytest.mark.parametrize(
    ("cut", "with_family"),
    [(Cut.BEFORE, False), (Cut.WITH, False), (Cut.WITH, True), (Cut.AFTER, True)],
    ids=["before it", "with it", "with it and with all processes", "after it and with all processes"],
)
def test_a_database_that_dies_at_the_commit_is_asked_again(
    panel: Panel, tap: CommitTap, tapped: Slot, cluster: EmbeddedPostgres, cut: Cut, with_family: bool
) -> None:
    story = Story(panel)
    with counting("failover at COMMIT") as counted:
        for round_ in rounds(1):
            name, cuts = f"r{round_}", tap.cuts
            tap.arm(cut, lambda: kill_postmaster(cluster, with_family=with_family))
            first = story.add(tapped.server, name)
            bring_back(cluster)
            found = story.orders(name)
            second = story.add(tapped.server, name)
            made = story.orders(name)
            acknowledged = first.http_status == 200
            counted.update(
                kills=1,
                orders=len(made),
                done_unanswered=len(found) if not acknowledged else 0,
                lost=int(acknowledged and not found),
                doubles=len(made) - 1,
            )
            assert tap.cuts == cuts + 1
            assert (first.http_status, first.body) == UNAVAILABLE
            if cut is not Cut.WITH:
                assert len(found) == (cut is Cut.AFTER)
            story.assert_placed_once(name, second)
            if found:
                assert second.json["order"] == found[0]


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.WITH, Cut.AFTER], ids=lambda cut: cut.name.lower())
def test_of_a_server_that_dies_at_the_commit_the_other_one_tells(
    panel: Panel, slots: list[Slot], tap: CommitTap, tapped: Slot, cut: Cut
) -> None:
    story, cuts = Story(panel), tap.cuts
    tap.arm(cut, tapped.kill)
    assert not is_answered(lambda: story.add(tapped.server, "killed"))
    assert tap.cuts == cuts + 1
    done = story.orders("killed") if cut is Cut.AFTER else []
    reply = story.add(slots[0].server, "killed")
    story.assert_placed_once("killed", reply)
    assert len(done) == (cut is Cut.AFTER)
    assert story.orders("killed")[:1] == (done or [reply.json["order"]])
    tapped.start()


@pytest.mark.quick
def test_under_another_request_id_the_same_order_is_there_twice(panel: Panel, tap: CommitTap, tapped: Slot) -> None:
    """So it is the request id that makes asking again safe, and the tests above would find doubles."""
    story = Story(panel)
    tap.arm(Cut.AFTER, lambda: None)
    assert story.add(tapped.server, "page").http_status == 503
    assert story.add(tapped.server, "page", request_id="another").http_status == 200
    assert len(story.orders("page")) == 2


def test_a_server_that_is_told_of_the_end_connects_anew(panel: Panel, tap: CommitTap, tapped: Slot) -> None:
    """A line in the midst of a batch that is not closed yet is of no use either: no thread may keep it."""
    story = Story(panel)
    for name in ("one", "two", "three"):
        tap.arm(Cut.TOLD, lambda: None)
        reply = story.add(tapped.server, name)
        assert (reply.http_status, reply.body) == UNAVAILABLE
        # As many as the server has threads for the database, and some more.
        for _ in range(10):
            story.assert_placed_once(name, story.add(tapped.server, name))


def is_answered(ask: Callable[[], Reply]) -> bool:
    try:
        ask()
    except httpx2.TransportError:
        return False
    return True
