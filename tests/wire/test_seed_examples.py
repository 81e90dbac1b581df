"""Every example of seed-api.txt in this scope, answered by a panel that holds the same orders: to the byte."""

import json
from typing import Any

import pytest
from seed_document import compact, differences, example, read_strictly
from world import World, everything_written, next_order_is, orders_written

from raw_http import Wire, post_form


def asked(world: World, **fields: str) -> bytes:
    with Wire(world.server.url) as wire:
        answer = wire.ask(post_form(key=world.names["seed_key"], **fields))
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    return answer.body


@pytest.mark.quick
def test_the_balance_is_the_seeds_to_the_byte(world: World) -> None:
    assert asked(world, action="balance") == compact(example("User balance"))


@pytest.mark.quick
def test_the_status_of_an_order_is_the_seeds_to_the_byte(world: World) -> None:
    assert asked(world, action="status", order="1") == compact(example("Order status"))


@pytest.mark.quick
def test_the_statuses_of_many_orders_are_the_seeds_to_the_byte(world: World) -> None:
    """Order 10 is there, but another customer's."""
    shown = example("Multiple orders status")
    assert asked(world, action="status", orders=",".join(shown)) == compact(shown)


@pytest.mark.quick
def test_the_services_are_the_seeds_but_for_our_extra_key(world: World) -> None:
    answered = read_strictly(asked(world, action="services"))
    shown = example("Service list")
    assert list(differences(shown, answered, extra=("dripfeed",))) == []
    assert [{key: row[key] for key in shown[0]} for row in answered[:2]] == shown
    assert [list(row)[-1] for row in answered] == ["dripfeed"] * 4


def test_a_placed_order_is_the_seeds_to_the_byte(world: World) -> None:
    shown = example("Add order")
    next_order_is(shown["order"])
    orders = orders_written()
    answer = world.server.call(world.names["key"], "add", service=1, link="https://example.com/seed", quantity=50)
    assert answer.body == compact(shown)
    assert orders_written() == orders + 1


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Service list", {"action": "services"}),
        ("Order status", {"action": "status", "order": "100"}),
        ("Multiple orders status", {"action": "status", "orders": "100,10,1,7,x"}),
        ("User balance", {"action": "balance"}),
    ],
)
def test_an_answer_has_the_keys_order_types_and_shape_that_the_seed_shows(
    world: World, title: str, fields: dict[str, str]
) -> None:
    before = everything_written()
    answered = read_strictly(asked(world, **fields))
    assert list(differences(example(title), answered, extra=("dripfeed",))) == []
    assert everything_written() == before


SECTIONS = (
    *("Service list", "Add order", "Order status", "Multiple orders status", "Create refill", "Create multiple refill"),
    *("Get refill status", "Get multiple refill status", "Create cancel", "User balance"),
)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_comparer_finds_nothing_to_say_of_the_seed_itself(title: str) -> None:
    assert list(differences(example(title), example(title))) == []


STATUS: dict[str, Any] = {"charge": "0.1", "start_count": "0", "status": "Pending", "remains": "1", "currency": "USD"}


@pytest.mark.parametrize(
    ("title", "answered"),
    [
        ("Add order", {"order": "23501"}),
        ("Add order", {"order": True}),
        ("Add order", {"order": 1, "error": None}),
        ("Add order", [{"order": 1}]),
        ("Order status", STATUS | {"remains": 1}),
        ("Order status", STATUS | {"start_count": None}),
        ("Order status", STATUS | {"start_count": ""}),
        ("Order status", STATUS | {"charge": "free"}),
        ("Order status", {key: STATUS[key] for key in reversed(STATUS)}),
        ("Order status", {key: STATUS[key] for key in STATUS if key != "currency"}),
        ("Order status", STATUS | {"link": "https://example.com"}),
        ("Multiple orders status", {"1": STATUS, "2": None}),
        ("Multiple orders status", [STATUS]),
        ("Service list", {"1": {}}),
        ("Service list", [example("Service list")[0] | {"rate": 0.9}]),
        ("Service list", [example("Service list")[0] | {"refill": 1}]),
        ("User balance", {"balance": 100.84292, "currency": "USD"}),
        ("User balance", {"currency": "USD", "balance": "1.00"}),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_the_comparer_finds_every_departure_from_the_seed(title: str, answered: object) -> None:
    assert list(differences(example(title), answered))


@pytest.mark.parametrize("body", [b'{"order": 1}', b'{"order":1}\n', b'{"order":1,"order":1}', b'{"a":"\\u00e9"}'])
def test_the_comparer_reads_compact_json_only(body: bytes) -> None:
    with pytest.raises(AssertionError):
        read_strictly(body)
