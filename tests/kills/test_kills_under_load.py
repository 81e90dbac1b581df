"""SIGKILL of the database and of servers while clients order: what was acknowledged is there, once, charged once."""

import random
import time
from collections.abc import Iterator

import pytest
from accounting import CREDIT_MICROS, account_for, ask_owner, find_lost, verify_by_command
from clients import Load
from servers import Slot

from cluster import bring_back, kill_postmaster
from hawker.core.money import Money
from hawker.host.postgres import EmbeddedPostgres
from panel import Panel, forget_rows
from soaking import counting, rounds

KILLS = 3


def load_of(panel: Panel, slots: list[Slot], round_: int) -> Load:
    """Clients of three customers who order one service from both servers."""
    credit = str(Money(CREDIT_MICROS))
    customers = [panel.customer(credit=credit) for _ in range(3)]
    return Load(customers, panel.service(rate="0.90").id, [slot.url for slot in slots], name=f"r{round_}")


@pytest.mark.timeout(0)
def test_a_killed_postmaster_loses_nothing_that_was_acknowledged(
    panel: Panel, slots: list[Slot], cluster: EmbeddedPostgres
) -> None:
    chance = random.Random(1)
    with counting("database kills") as counted:
        for round_ in rounds(1):
            forget_rows()
            with load_of(panel, slots, round_) as load:
                for kill in range(KILLS):
                    load.goes_on()
                    # Somewhere in the middle of some batch's way to its COMMIT.
                    time.sleep(chance.random() / 20)
                    kill_postmaster(cluster, with_family=kill % 2 == 1)
                    counted["kills"] += 1
                    bring_back(cluster)
                load.goes_on()
            account_for(load, panel, counted)
    verify_by_command()


@pytest.fixture
def hasty(panel: Panel) -> Iterator[list[Slot]]:
    """Two servers whose COMMITs do not wait for the disk."""
    ask_owner("ALTER DATABASE hawker SET synchronous_commit = off")
    slots = [Slot(), Slot()]
    yield slots
    for slot in slots:
        slot.close()
    ask_owner("ALTER DATABASE hawker RESET synchronous_commit")


def test_without_synchronous_commits_the_same_kills_lose_orders_and_are_found_out(
    panel: Panel, hasty: list[Slot], cluster: EmbeddedPostgres
) -> None:
    for round_ in range(5):
        with load_of(panel, hasty, round_) as load:
            load.goes_on()
            kill_postmaster(cluster, with_family=True)
            bring_back(cluster)
        if find_lost(load):
            return
    raise AssertionError("five kills lost nothing: these tests would not notice")


@pytest.mark.timeout(0)
def test_a_killed_server_loses_nothing_and_the_other_answers_for_it(panel: Panel, slots: list[Slot]) -> None:
    with counting("server kills") as counted:
        for round_ in rounds(1):
            forget_rows()
            with load_of(panel, slots, round_) as load:
                for kill in range(KILLS):
                    load.goes_on()
                    slots[kill % 2].kill()
                    counted["kills"] += 1
                    load.goes_on()
                    slots[kill % 2].start()
                load.goes_on()
            account_for(load, panel, counted)
            assert load.counted["lost answers"] > 0
    verify_by_command()
